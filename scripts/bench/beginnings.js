// Runs inside the page, before its own scripts: notes when each stage of its beginning is reached.

/** Puts `window.beginning` into a page: times by `performance.now()`, ms from the navigation, each of its first occurrence. */
export function beginnings() {
  /** @type {Record<string, number>} */
  const at = {};
  window.beginning = at;
  const note = stage => {
    at[stage] ??= performance.now();
  };

  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      const name = String(args[0]).includes('/media') ? 'media socket' : 'socket';
      note(`${name} begun`);
      this.addEventListener('open', () => note(`${name} open`));
      this.addEventListener('message', ({ data }) => {
        if (typeof data !== 'string') note(`${name}: bytes`);
        else if (name === 'socket') note(`${JSON.parse(data).type} came`);
      });
    }
    send(data) {
      if (typeof data === 'string' && data.includes('"offer"')) note('offer sent');
      super.send(data);
    }
  };

  const Connection = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Connection {
    constructor(...args) {
      note('peer begun');
      super(...args);
      this.addEventListener('iceconnectionstatechange', () => note(`ice ${this.iceConnectionState}`));
      this.addEventListener('connectionstatechange', () => note(`peer ${this.connectionState}`));
      this.addEventListener('icecandidate', () => note('candidate found'));
    }
    async setRemoteDescription(...args) {
      await super.setRemoteDescription(...args);
      note('answer applied');
    }
    createDataChannel(...args) {
      const channel = super.createDataChannel(...args);
      channel.addEventListener('open', () => note('channel open'));
      return channel;
    }
  };

  const source = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'srcObject');
  Object.defineProperty(HTMLMediaElement.prototype, 'srcObject', {
    ...source,
    set(stream) {
      source.set.call(this, stream);
      if (!stream) return;
      note('video given');
      this.requestVideoFrameCallback((_now, { receiveTime, presentationTime, processingDuration }) => {
        at['frame received'] ??= receiveTime;
        if (receiveTime && processingDuration)
          at['frame decoded'] ??= receiveTime + processingDuration * 1000;
        at['frame presented'] ??= presentationTime;
      });
    },
  });

  /** What the browser itself knows, beside the stages. */
  window.beginningOf = () => {
    const [page] = performance.getEntriesByType('navigation');
    const parts = performance.getEntriesByType('resource');
    const scripts = parts.filter(
      ({ name, startTime }) => /\.js$/.test(name) && startTime < (at['offer sent'] ?? 1e9),
    );
    return {
      'page asked for': page.requestStart,
      'page there': page.responseEnd,
      'first script asked for': Math.min(...scripts.map(one => one.startTime)),
      'scripts there': Math.max(...scripts.map(one => one.responseEnd)),
      ...at,
    };
  };
}
