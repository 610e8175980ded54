// A client made of node-smpp: binds to the port it is given, sends one message, waits for its receipt and takes leave.
'use strict';

const smpp = require('smpp');

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const session = smpp.connect({ url: `smpp://127.0.0.1:${process.argv[2]}` }, () => {
  session.bind_transceiver({ system_id: 'node', password: 'pw' }, (answer) => {
    say({ bind_status: answer.command_status });
    // Left alone, node-smpp labels GSM 7-bit text as data_coding 1, which is ASCII.
    const fields = { source_addr: 'node', destination_addr: '36201234567', registered_delivery: 1, data_coding: 0 };
    const message = { ...fields, short_message: 'Grüße € from node' };
    session.submit_sm(message, (response) => say({ submit_status: response.command_status, id: response.message_id }));
  });
});
session.on('error', (error) => say({ error: error.message }));
session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  say({ receipt: pdu.short_message.message, id: pdu.receipted_message_id, state: pdu.message_state });
  session.unbind((answer) => {
    say({ unbind_status: answer.command_status });
    session.close();
  });
});
