// An SMSC made of node-smpp. Says what happens as lines of JSON; takes orders the same way: {"mo": "text", "ucs2": false, "udh": "hex"}.
'use strict';

const readline = require('readline');
const smpp = require('smpp');

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
let bound = null;
let count = 0;

function accept(session, pdu) {
  count += 1;
  const id = `node-${count}`;
  say({
    submitted: pdu.short_message.message ?? '',
    udh: (pdu.short_message.udh ?? []).map((element) => element.toString('hex')),
    payload: pdu.message_payload?.message ?? '',
    source: pdu.source_addr,
    destination: pdu.destination_addr,
    data_coding: pdu.data_coding,
    esm_class: pdu.esm_class,
    validity_period: Boolean(pdu.validity_period),
    sar: [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum],
  });
  session.send(pdu.response({ message_id: id }));
  if (pdu.registered_delivery) {
    const receipt = {
      source_addr: pdu.destination_addr,
      destination_addr: pdu.source_addr,
      esm_class: 4,
      short_message: `id:${id} sub:001 dlvrd:001 submit date:2611230900 done date:2611230901 stat:DELIVRD err:000 text:`,
      receipted_message_id: id,
      message_state: 2,
    };
    session.deliver_sm(receipt, (answer) => say({ receipt_answered: answer.command_status }));
  }
}

const server = smpp.createServer({}, (session) => {
  session.on('error', (error) => say({ error: error.message }));
  session.on('bind_transceiver', (pdu) => {
    if (pdu.password !== 'pw') {
      session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
      return;
    }
    bound = session;
    session.send(pdu.response());
    say({ bound: pdu.system_id });
  });
  session.on('submit_sm', (pdu) => accept(session, pdu));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('enquire_link_resp', () => say({ alive: true }));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
    say({ unbound: true });
  });
});

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line);
  if (order.enquire) {
    bound.enquire_link();
    return;
  }
  const message = order.udh ? { udh: Buffer.from(order.udh, 'hex'), message: order.mo } : order.mo;
  const fields = { source_addr: '36301112233', source_addr_ton: 1, destination_addr: '12345', short_message: message };
  if (!order.ucs2) {
    // Left alone, node-smpp labels GSM 7-bit text as data_coding 1, which is ASCII.
    fields.data_coding = 0;
  }
  bound.deliver_sm(fields, (answer) => say({ mo_answered: answer.command_status }));
});

server.listen(0, '127.0.0.1', () => say({ port: server.address().port }));
