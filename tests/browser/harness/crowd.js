// Viewers without a page each: sockets and peer connections of their own, made inside one page.

/**
 * Joins an instance as so many viewers; those beyond `connected` send an offer and never take its answer, so that they
 * stay connecting. Comes back when the others are connected.
 *
 * @param {import('playwright-core').Page} page of somebody who may watch
 * @param {{ instance: string, connected: number, connecting: number }} crowd
 */
export async function join(page, crowd) {
  await page.evaluate(async ({ instance, connected, connecting }) => {
    const page = /** @type {any} */ (window);
    page.testCrowd ??= [];
    const kept = page.testCrowd;
    /** @param {boolean} whole */
    const one = whole =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`, 'heliostat.v1');
        const peer = new RTCPeerConnection();
        peer.addTransceiver('video', { direction: 'recvonly' });
        kept.push({ socket, peer, channel: peer.createDataChannel('input') });
        peer.onconnectionstatechange = () => peer.connectionState === 'connected' && resolve(null);
        socket.onerror = () => reject(new Error('no socket'));
        socket.onopen = () => socket.send(JSON.stringify({ type: 'hello' }));
        let offered = false;
        socket.onmessage = async ({ data }) => {
          const message = JSON.parse(data);
          if (message.type === 'welcome') {
            socket.send(JSON.stringify({ type: 'watch', instance_id: instance }));
          } else if (message.type === 'instance' && !offered) {
            offered = true;
            await peer.setLocalDescription();
            socket.send(JSON.stringify({ type: 'offer', sdp: peer.localDescription?.sdp }));
          } else if (message.type === 'answer') {
            if (!whole) return resolve(null);
            await peer.setRemoteDescription({ type: 'answer', sdp: message.sdp });
          } else if (message.type === 'candidate' && whole && message.candidate) {
            await peer.addIceCandidate(message.candidate).catch(() => {});
          } else if (message.type === 'error') {
            reject(new Error(data));
          }
        };
        setTimeout(() => reject(new Error(`not in time, ${peer.connectionState}`)), 30_000);
      });
    await Promise.all(Array.from({ length: connected }, () => one(true)));
    await Promise.all(Array.from({ length: connecting }, () => one(false)));
  }, crowd);
}
