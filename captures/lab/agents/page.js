// The browser's side of the lab: one peer connection, its events, and what getStats says of it.
// Statistics are also read five times a second, because pairs that a browser prunes are missing at the end.
(() => {
  const KEPT = ['candidate-pair', 'local-candidate', 'remote-candidate', 'transport'];
  const lab = {};
  let pc, config, channel, poll, socket;
  let chain = Promise.resolve();
  const seen = new Map();
  const descriptions = [];
  const errors = [];
  let received = 0;

  const emit = event => window.labEmit({t: Date.now(), ...event});
  const state = name => emit({kind: 'state', name, value: pc[name]});
  const send = message => {
    emit({kind: 'signal', message, carried: !socket});
    if (socket) socket.send(JSON.stringify(message));
  };

  async function stats() {
    const all = [];
    (await pc.getStats()).forEach(entry => all.push({...entry}));
    const t = Date.now();
    for (const entry of all) if (KEPT.includes(entry.type)) seen.set(entry.id, {...entry, lastSeen: t});
    return {t, all};
  }

  function useChannel(one) {
    channel = one;
    let timer;
    channel.onopen = () => {
      emit({kind: 'state', name: 'channel', value: 'open'});
      timer = setInterval(() => channel.readyState === 'open' && channel.send('x'.repeat(100)), 500);
    };
    channel.onmessage = () => { received += 1; };
    channel.onclose = () => { clearInterval(timer); emit({kind: 'state', name: 'channel', value: 'closed'}); };
  }

  async function addMedia() {
    if (!config.media.length) return;
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: config.media.includes('audio'),
      video: config.media.includes('video') && {width: 320, height: 240, frameRate: 10},
    });
    for (const track of stream.getTracks()) pc.addTrack(track, stream);
  }

  lab.open = async given => {
    config = given;
    if (config.permission && !config.media.length) {
      const stream = await navigator.mediaDevices.getUserMedia({audio: true});
      window.kept = stream;
    }
    pc = new RTCPeerConnection({...config.rtc, ...(config.options.rtc || {})});
    for (const name of ['iceConnectionState', 'iceGatheringState', 'connectionState', 'signalingState'])
      pc.addEventListener(name.toLowerCase() + 'change', () => state(name));
    pc.onicecandidate = event => event.candidate && send({type: 'candidate', candidate: event.candidate.toJSON()});
    pc.onicecandidateerror = event => errors.push({
      t: Date.now(), url: event.url, address: event.address, port: event.port,
      errorCode: event.errorCode, errorText: event.errorText,
    });
    pc.ondatachannel = event => useChannel(event.channel);
    poll = setInterval(() => stats().catch(() => {}), 200);
    if (config.options.websocket) await dial(config.options.websocket);
  };

  async function dial(url) {
    socket = new WebSocket(url);
    socket.onmessage = event => lab.signal(JSON.parse(event.data));
    await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
  }

  async function describe(description) {
    descriptions.push({t: Date.now(), side: 'local', type: description.type, sdp: description.sdp});
    await pc.setLocalDescription(description);
    send({type: description.type, sdp: description.sdp});
  }

  lab.begin = async restart => {
    if (restart) pc.restartIce();
    else {
      await addMedia();
      if (!config.options.noChannel) useChannel(pc.createDataChannel('lab'));
    }
    await describe(await pc.createOffer());
  };

  async function take(message) {
    if (message.type === 'candidate') return pc.addIceCandidate(message.candidate);
    descriptions.push({t: Date.now(), side: 'remote', type: message.type, sdp: message.sdp});
    await pc.setRemoteDescription({type: message.type, sdp: message.sdp});
    if (message.type === 'offer') {
      if (!pc.getSenders().some(sender => sender.track)) await addMedia();
      await describe(await pc.createAnswer());
    }
  }

  // One after the other, so that a candidate never overtakes the description it belongs to.
  lab.signal = message => {
    chain = chain.then(() => take(message)).catch(error => emit({kind: 'error', text: String(error)}));
    return chain;
  };

  // What is known now; nothing is closed.
  lab.look = async () => {
    await chain;
    const final = await stats();
    const states = {};
    for (const name of ['iceConnectionState', 'connectionState', 'iceGatheringState', 'signalingState'])
      states[name] = pc[name];
    states.channel = channel ? channel.readyState : 'none';
    const present = new Set(final.all.map(entry => entry.id));
    return {
      states, descriptions, candidateErrors: errors, messagesReceived: received,
      statsTime: final.t, stats: final.all,
      vanished: [...seen.values()].filter(entry => !present.has(entry.id)),
    };
  };

  lab.finish = async () => {
    clearInterval(poll);
    const truth = await lab.look();
    pc.close();
    return truth;
  };

  window.lab = lab;
})();
