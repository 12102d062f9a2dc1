// Starts the page.
// Invariant: one page, one source of messages.
import './no-eval.ts';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { Source } from './source.ts';

const source = new Source();
source.connect();
addEventListener('online', () => source.wake());

const page = document.getElementById('page');
if (page === null) throw new Error('index.html has no #page');
createRoot(page).render(<App source={source} />);
