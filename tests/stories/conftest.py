"""Stories are played on the small gateway of the stage tests."""

import importlib.util
import sys
from pathlib import Path

_PLACE = Path(__file__).parents[1] / "stage" / "conftest.py"
_spec = importlib.util.spec_from_file_location("stage_world", _PLACE)
assert _spec is not None
assert _spec.loader is not None
_stage = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _stage
_spec.loader.exec_module(_stage)

world = _stage.world
sys.path.insert(0, str(Path(__file__).parent))
