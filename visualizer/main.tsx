// Starts the page.
// Invariant: what it needs of the browser is found here and handed on; the rest of the page knows React only.
import './no-eval.ts';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { INSPECT_PATH, INSPECT_SUBPROTOCOL } from '../src/protocol/inspection.ts';
import { openLink } from './stream/link.ts';
import { Watch } from './stream/watch.ts';

const watch = new Watch({
  now: () => performance.now(),
  nextFrame: (fn) => {
    // A page that nobody looks at draws no frames.
    if (document.hidden) setTimeout(fn, 100);
    else requestAnimationFrame(fn);
  },
});

const url = new URL(`.${INSPECT_PATH}`, location.href);
url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
url.hash = '';

const link = openLink({
  tokens: {},
  dial: (closed) => {
    const socket = new WebSocket(url, INSPECT_SUBPROTOCOL);
    socket.addEventListener('close', ({ code, reason }) => closed(code, reason));
    return socket;
  },
  onText: (text) => watch.receive(text),
  onState: (state) => watch.setLink({ state }),
  onRefused: (reason) => watch.setLink({ state: 'rejected', refused: reason }),
});
addEventListener('online', () => link.wake());

const page = document.getElementById('page');
if (page === null) throw new Error('index.html has no #page');
createRoot(page).render(<App watch={watch} />);
