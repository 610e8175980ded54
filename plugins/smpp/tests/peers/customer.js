// A customer made of node-smpp: binds to the port and with the password it is given, sends a text of three segments and one to a bad
// number, and says as lines of JSON what comes back until it has been given as many deliver_sm as it was told.
'use strict';

const smpp = require('smpp');

const [port, password, expected, text] = process.argv.slice(2);
const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const udh = (total, index) => Buffer.from([5, 0, 3, 9, total, index]);
let delivered = 0;

const session = smpp.connect({ url: `smpp://127.0.0.1:${port}` }, () => {
  session.bind_transceiver({ system_id: 'anna', password }, (answer) => {
    say({ bind_status: answer.command_status });
    if (answer.command_status !== 0) {
      session.close();
      return;
    }
    const fields = { source_addr: 'SHOP', source_addr_ton: 5, dest_addr_ton: 1, dest_addr_npi: 1, registered_delivery: 1, data_coding: 0 };
    const pieces = text.match(/.{1,153}/gs);
    pieces.forEach((message, index) => {
      const short_message = { udh: udh(pieces.length, index + 1), message };
      session.submit_sm({ ...fields, esm_class: 0x40, destination_addr: '36201234567', short_message }, (response) => {
        say({ submit_status: response.command_status, id: response.message_id });
      });
    });
    session.submit_sm({ ...fields, destination_addr: '12', short_message: 'nowhere' }, (response) => {
      say({ refused_status: response.command_status });
    });
  });
});
session.on('error', (error) => say({ error: error.message }));
session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  say({ delivered: pdu.short_message.message, esm_class: pdu.esm_class, id: pdu.receipted_message_id ?? '' });
  delivered += 1;
  if (delivered === Number(expected)) {
    session.unbind((answer) => {
      say({ unbind_status: answer.command_status });
      session.close();
    });
  }
});
