"""Where the bars of a graph stand."""

from pennywire import graphs


def test_values_below_zero_hang_from_the_ground_line() -> None:
    drawn = graphs.draw(["a", "b", "c"], [30, 0, -10], ["30", "0", "-10"])

    first, nothing, last = drawn.bars
    assert (first.y, round(first.y + first.height, 2)) == (graphs.TOP, drawn.ground)
    assert nothing.height == 0
    assert last.y == drawn.ground
    assert round(last.y + last.height, 2) == graphs.HEIGHT


def test_nothing_at_all_is_a_line_on_the_ground() -> None:
    drawn = graphs.draw(["a"], [0], ["0"])

    assert (drawn.ground, drawn.bars[0].height, drawn.ends) == (graphs.HEIGHT, 0.0, ("a", "a", "a"))


def test_the_largest_amounts_fit() -> None:
    drawn = graphs.draw(["a", "b"], [10**15, 1], ["many", "few"])

    assert drawn.bars[0].height == graphs.HEIGHT - graphs.TOP
    assert drawn.bars[1].height == graphs.LEAST


def test_a_series_with_a_scale_of_its_own_does_not_fill_the_drawing() -> None:
    drawn = graphs.draw(["a"], [31], ["-82 dBm"], full=62)

    assert drawn.bars[0].height == round((graphs.HEIGHT - graphs.TOP) / 2, 2)


def test_shares_reach_as_far_as_the_largest() -> None:
    assert graphs.shares([4, 2, -1, 0]) == [100.0, 50.0, 25.0, 0.0]
    assert graphs.shares([]) == []
