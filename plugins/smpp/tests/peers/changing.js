// A customer made of node-smpp that changes its mind: it submits, asks, replaces, cancels a group, and submits to many, one after the
// other, and says each answer as a line of JSON.
'use strict';

const smpp = require('smpp');

const [port, password] = process.argv.slice(2);
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const shop = { source_addr: 'SHOP', source_addr_ton: 5 };
const anna = { destination_addr: '36201234567', dest_addr_ton: 1, dest_addr_npi: 1 };

const session = smpp.connect({ url: `smpp://127.0.0.1:${port}` }, async () => {
  const ask = (name, fields) => new Promise((resolve) => session[name](fields, resolve));
  const bound = await ask('bind_transceiver', { system_id: 'anna', password });
  say({ bind: bound.command_status });
  const first = await ask('submit_sm', { ...shop, ...anna, short_message: 'short' });
  const message_id = first.message_id;
  const asked = await ask('query_sm', { message_id, ...shop });
  say({ query: asked.command_status, state: asked.message_state, final_date: asked.final_date });
  const replaced = await ask('replace_sm', { message_id, ...shop, short_message: 'x'.repeat(161) });
  say({ replace: replaced.command_status });
  const foreign = await ask('replace_sm', { message_id: 'ghost', ...shop, short_message: 'nothing' });
  say({ replace_ghost: foreign.command_status });
  const cancelled = await ask('cancel_sm', { message_id: '', ...shop, ...anna });
  say({ cancel: cancelled.command_status });
  const again = await ask('cancel_sm', { message_id: '', ...shop, ...anna });
  say({ cancel_again: again.command_status });
  const over = await ask('query_sm', { message_id, ...shop });
  say({ query: over.command_status, state: over.message_state, dated: over.final_date !== null && over.final_date !== '' });
  const dest_address = [anna, { destination_addr: '12', dest_addr_ton: 0, dest_addr_npi: 1 }];
  const many = await ask('submit_multi', { ...shop, dest_address, short_message: 'to many' });
  say({ multi: many.command_status, failed: many.unsuccess_sme.map((one) => [one.destination_addr, one.error_status_code]) });
  await ask('unbind', {});
  session.close();
});
session.on('error', (error) => say({ error: error.message }));
