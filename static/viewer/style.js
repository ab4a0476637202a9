/** The viewer's own look; custom properties of the page (`--heliostat-accent`, …) shine through. */
const CSS = `
:host { display: block; position: relative; overflow: hidden; background: #000; color: #e9e6df;
  --accent: var(--heliostat-accent, #f4b942); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
  container-type: size; contain: layout paint style; }
:host([hidden]) { display: none; }
[hidden] { display: none !important; }
video, canvas { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; display: block; outline: none;
  touch-action: none; user-select: none; -webkit-user-select: none; opacity: 1; transition: opacity .25s, filter .25s; }
canvas { pointer-events: none; width: 100% !important; height: 100% !important; margin: 0 !important; }
:host([state="idle"]) :is(video, canvas), :host([state="connecting"]) :is(video, canvas), :host([state="error"]) :is(video, canvas) { opacity: 0; }
:host([state="restarting"]) :is(video, canvas), :host([state="reconnecting"]) :is(video, canvas) { filter: brightness(.45) saturate(.5); }
:host([state="failed"]) :is(video, canvas), :host([state="ended"]) :is(video, canvas) { filter: brightness(.18) saturate(.2) blur(3px); }
textarea { position: absolute; left: 50%; top: 50%; width: 1px; height: 1px; padding: 0; border: 0; opacity: 0; resize: none;
  outline: none; overflow: hidden; pointer-events: none; font-size: 16px; }
.ring { position: absolute; inset: 0; pointer-events: none; }
textarea:focus-visible ~ .ring.keyboard { animation: ring 1.6s ease-out forwards; }
.overlay { position: absolute; inset: 0; display: grid; place-items: center; padding: 16px; animation: in .25s ease-out; }
.card { max-width: min(560px, 100%); max-height: 100%; min-width: 0; display: flex; flex-direction: column; align-items: center;
  text-align: center; gap: 10px; padding: 28px 32px; border-radius: 16px; background: rgb(17 19 26 / .82);
  border: 1px solid rgb(255 255 255 / .09); box-shadow: 0 24px 60px rgb(0 0 0 / .5); backdrop-filter: blur(14px); box-sizing: border-box; }
.words { min-width: 0; max-width: 100%; }
.title { margin: 0; font-size: 19px; line-height: 1.3; font-weight: 620; letter-spacing: -.01em; text-wrap: balance; overflow-wrap: anywhere; }
.detail { margin: 6px 0 0; color: #b4b0a7; overflow-wrap: anywhere; }
.detail:empty { display: none; }
.count { margin: 0; color: #b4b0a7; font-size: 13px; font-variant-numeric: tabular-nums; }
.beam { width: 44px; height: 44px; border-radius: 50%; position: relative; margin-bottom: 4px; flex: none;
  background: conic-gradient(from 0deg, transparent 0 55%, var(--accent)); animation: turn 1.3s linear infinite;
  mask: radial-gradient(circle, transparent 57%, #000 60%); -webkit-mask: radial-gradient(circle, transparent 57%, #000 60%); }
.overlay[data-state="connected"] { place-items: start center; pointer-events: none; }
.overlay[data-state="connected"] .card { padding: 14px 20px; gap: 2px; } .overlay[data-state="connected"] button { pointer-events: auto; }
.overlay[data-state="connected"] .beam, .overlay[data-state="failed"] .beam, .overlay[data-state="ended"] .beam, .overlay[data-state="error"] .beam { display: none; }
.overlay[data-state="failed"] .title::before, .overlay[data-state="error"] .title::before { content: ""; display: inline-block;
  width: 10px; height: 10px; margin-right: 10px; border-radius: 50%; background: #ff6b5e; }
.output { align-self: stretch; margin: 8px 0 4px; padding: 12px 14px; max-height: 34cqh; overflow: auto; text-align: left; white-space: pre-wrap;
  overflow-wrap: anywhere; border-radius: 10px; background: #08090d; color: #c9d1c4; border: 1px solid rgb(255 255 255 / .08);
  font: 12px/1.55 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
button { font: inherit; font-weight: 600; color: #1a1305; background: var(--accent); border: 0; border-radius: 10px;
  padding: 9px 22px; margin-top: 8px; cursor: pointer; transition: filter .15s; }
button:hover { filter: brightness(1.1); }
button:disabled { opacity: .55; cursor: default; }
:is(button, .output):focus-visible { outline: 2px solid #fff; outline-offset: 2px; }
.stats { position: absolute; right: 12px; bottom: 12px; padding: 12px 14px; min-width: 220px; border-radius: 12px; pointer-events: none;
  background: rgb(12 14 20 / .84); border: 1px solid rgb(255 255 255 / .1); backdrop-filter: blur(10px); font-size: 12px; line-height: 1.65; }
.stats dl { margin: 0; } .stats dl div { display: flex; justify-content: space-between; gap: 20px; }
.stats dt { color: #a39f96; } .stats dd { margin: 0; font-variant-numeric: tabular-nums; }
.bar { position: absolute; left: 8px; right: 8px; bottom: 8px; display: flex; flex-wrap: wrap; gap: 6px; white-space: nowrap; pointer-events: none; opacity: 0; transition: opacity .2s; }
:host(:hover) .bar, .bar:focus-within { opacity: 1; }
.bar button { pointer-events: auto; margin: 0; padding: 5px 12px; font-size: 12px; color: #e9e6df; background: rgb(12 14 20 / .8); border: 1px solid rgb(255 255 255 / .16); border-radius: 8px; }
.hint { position: absolute; left: 50%; bottom: 18px; margin: 0; padding: 7px 16px; max-width: min(520px, 88%); box-sizing: border-box; transform: translateX(-50%);
  font-size: 13.5px; text-align: center; color: #e9e6df; background: rgb(12 14 20 / .84); border: 1px solid rgb(255 255 255 / .1); border-radius: 99px;
  backdrop-filter: blur(10px); pointer-events: none; animation: in .25s ease-out; }
@container (max-height: 260px) { .card { padding: 12px 16px; gap: 4px; } .beam { width: 24px; height: 24px; } .title { font-size: 15px; } }
@keyframes ring { 0%, 45% { box-shadow: inset 0 0 0 2px var(--accent); } to { box-shadow: inset 0 0 0 2px transparent; } }
@keyframes turn { to { transform: rotate(1turn); } }
@keyframes in { from { opacity: 0; } }
@media (prefers-reduced-motion: reduce) { .beam { animation-duration: 6s; } .overlay { animation: none; } video, canvas { transition: none; } }
`;

/** Constructed sheets need no exception in a page's Content-Security-Policy. */
export function viewerSheet() {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  return sheet;
}
