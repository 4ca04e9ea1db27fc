// A libdatachannel peer connection, and with it libjuice, as an agent of the lab (a program; node-datachannel, npm).
'use strict';
const lines = require('./lines.cjs');
const {PeerConnection} = require('node-datachannel');

const states = {iceConnectionState: 'new', connectionState: 'new', iceGatheringState: 'new', channel: 'none'};
const state = (name, value) => {
  if (value === 'in-progress') value = 'gathering';
  states[name] = value;
  lines.state(name, value);
};
const {signal} = lines;
const descriptions = [];
let pc, channel, received = 0;

function useChannel(one) {
  channel = one;
  let timer;
  const opened = () => {
    if (timer) return;
    state('channel', 'open');
    timer = setInterval(() => one.isOpen() && one.sendMessage('x'.repeat(100)), 500);
    timer.unref();
  };
  one.onOpen(opened);
  one.onClosed(() => { clearInterval(timer); state('channel', 'closed'); });
  one.onMessage(() => { received += 1; });
  if (one.isOpen()) opened();
}

const verbs = {
  async launch() {},
  async open(config) {
    const iceServers = config.iceServers.map(server => {
      const [, scheme, host, port] = /^(\w+):(.*):(\d+)/.exec(server.urls);
      if (scheme === 'stun') return `stun:${host}:${port}`;
      return `turn:${server.username}:${server.credential}@${host}:${port}`;
    });
    pc = new PeerConnection('lab', {iceServers, iceTransportPolicy: config.policy});
    pc.onStateChange(value => state('connectionState', value));
    pc.onIceStateChange(value => state('iceConnectionState', value));
    pc.onGatheringStateChange(value => state('iceGatheringState', value));
    pc.onDataChannel(useChannel);
    pc.onLocalDescription((sdp, type) => {
      descriptions.push({t: Date.now(), side: 'local', type, sdp});
      signal({type, sdp});
    });
    pc.onLocalCandidate((candidate, sdpMid) => signal({type: 'candidate', candidate: {candidate, sdpMid, sdpMLineIndex: 0}}));
  },
  async begin() {
    // The offer follows by itself.
    useChannel(pc.createDataChannel('lab'));
  },
  async signal(message) {
    if (message.type === 'candidate') {
      const {candidate, sdpMid} = message.candidate;
      if (candidate) pc.addRemoteCandidate(candidate, sdpMid || '0');
      return;
    }
    descriptions.push({t: Date.now(), side: 'remote', ...message});
    pc.setRemoteDescription(message.sdp, message.type);
  },
  async look() {
    return {
      implementation: `libdatachannel (node-datachannel ${lines.version('node-datachannel')}, libjuice)`,
      states: {...states},
      statsTime: Date.now(),
      selected: pc.getSelectedCandidatePair(),
      bytesSent: pc.bytesSent(), bytesReceived: pc.bytesReceived(), rttMilliseconds: pc.rtt(),
      descriptions, messagesReceived: received,
    };
  },
  async finish() {
    const truth = await verbs.look();
    pc.close();
    return truth;
  },
};

lines.serve(verbs);
