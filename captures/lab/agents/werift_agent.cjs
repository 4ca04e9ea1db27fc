// A werift peer connection as an agent of the lab (a program; werift comes from npm).
'use strict';
const lines = require('./lines.cjs');
const {RTCPeerConnection} = require('werift');

const {state, signal} = lines;
const descriptions = [];
let pc, channel, received = 0;

function useChannel(one) {
  channel = one;
  let timer;
  const opened = () => {
    state('channel', 'open');
    timer = setInterval(() => one.readyState === 'open' && one.send('x'.repeat(100)), 500);
    timer.unref();
  };
  one.stateChanged.subscribe(value => value === 'open' ? opened() : clearInterval(timer));
  one.onMessage.subscribe(() => { received += 1; });
  if (one.readyState === 'open') opened();
}

async function describe(description) {
  await pc.setLocalDescription(description);
  const {type, sdp} = pc.localDescription;
  descriptions.push({t: Date.now(), side: 'local', type, sdp});
  signal({type, sdp});
}

const verbs = {
  async launch() {},
  async open(config) {
    pc = new RTCPeerConnection({
      iceServers: config.iceServers,
      iceTransportPolicy: config.policy,
      iceUseIpv6: false,
    });
    pc.iceConnectionStateChange.subscribe(value => state('iceConnectionState', value));
    pc.connectionStateChange.subscribe(value => state('connectionState', value));
    pc.iceGatheringStateChange.subscribe(value => state('iceGatheringState', value));
    pc.onDataChannel.subscribe(useChannel);
    pc.onIceCandidate.subscribe(one => one && signal({type: 'candidate', candidate: one.toJSON()}));
  },
  async begin() {
    useChannel(pc.createDataChannel('lab'));
    await describe(await pc.createOffer());
  },
  async signal(message) {
    if (message.type === 'candidate') return pc.addIceCandidate(message.candidate);
    descriptions.push({t: Date.now(), side: 'remote', ...message});
    await pc.setRemoteDescription(message);
    if (message.type === 'offer') await describe(await pc.createAnswer());
  },
  async finish() {
    const stats = [];
    (await pc.getStats()).forEach(entry => stats.push(entry));
    const truth = {
      implementation: `werift ${lines.version('werift')}`,
      states: {
        iceConnectionState: pc.iceConnectionState,
        connectionState: pc.connectionState,
        iceGatheringState: pc.iceGatheringState,
        signalingState: pc.signalingState,
        channel: channel ? channel.readyState : 'none',
      },
      statsTime: Date.now(), stats, descriptions, messagesReceived: received,
    };
    await pc.close();
    return truth;
  },
};

lines.serve(verbs);
