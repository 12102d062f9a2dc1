// Where the page's messages come from: the server that served the page, or a file.
// Invariant: one watch at a time; while a file is watched, nothing is connected.
import { INSPECT_PATH, INSPECT_SUBPROTOCOL } from '../src/protocol/inspection.ts';
import { browser, save } from './platform.ts';
import { openLink, type Link, type LinkTokens } from './stream/link.ts';
import { Watch } from './stream/watch.ts';

const TOKENS = 'holdfast.tokens';

function serverUrl(): URL {
  const url = new URL(`.${INSPECT_PATH}`, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = '';
  return url;
}

export class Source {
  #watch = new Watch(browser);
  #link: Link | undefined;
  /** Number of the present link: what an older one says is nobody's any more. */
  #turn = 0;
  readonly #listeners = new Set<() => void>();

  get watch(): Watch {
    return this.#watch;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Watches the server again, from its present on. */
  goLive(): void {
    this.#replace(new Watch(browser));
    this.connect();
  }

  /** Dials, with the tokens that this tab was given. */
  connect(): void {
    this.#link?.stop();
    const watch = this.#watch;
    const turn = ++this.#turn;
    let socket: WebSocket | undefined;
    let refused: string | undefined;
    const link = openLink({
      tokens: this.tokens,
      dial: (closed) => {
        socket = new WebSocket(serverUrl(), INSPECT_SUBPROTOCOL);
        socket.addEventListener('close', ({ code, reason }) => closed(code, reason));
        return socket;
      },
      onText: (text) => watch.receive(text),
      onState: (state) => {
        if (turn === this.#turn)
          watch.setLink({ state, refused: state === 'rejected' ? refused : undefined });
      },
      onRefused: (reason) => (refused = reason === '' ? 'The server wants a token.' : reason),
    });
    this.#link = link;
    watch.attach({ ask: (ask) => link.ask(ask), restart: () => socket?.close() });
    watch.setLink({ state: link.state });
  }

  /** Tokens stay in this tab, and are forgotten with it. */
  get tokens(): LinkTokens {
    try {
      return JSON.parse(sessionStorage.getItem(TOKENS) ?? '{}') as LinkTokens;
    } catch {
      return {};
    }
  }

  setTokens(tokens: LinkTokens): void {
    sessionStorage.setItem(TOKENS, JSON.stringify(tokens));
    this.connect();
  }

  wake(): void {
    this.#link?.wake();
  }

  /** @throws when the file cannot be read; its lines that are no messages are counted by the watch */
  async open(file: File): Promise<void> {
    const watch = new Watch(browser, file.name);
    const text = await file.text();
    if (!text.trimStart().startsWith('{'))
      throw new Error(`${file.name} is no recording: it should be NDJSON, one message a line`);
    this.#turn += 1;
    this.#link?.stop();
    this.#link = undefined;
    this.#replace(watch);
    for (const [index, line] of text.split('\n').entries()) {
      if (line.trim() !== '') watch.receive(line);
      // As much as is read in a frame or two.
      if (index % 500 === 499) await new Promise<void>((resolve) => browser.nextFrame(resolve));
    }
  }

  async save(): Promise<void> {
    const parts: string[] = [];
    for await (const piece of this.#watch.timeline.recording()) parts.push(piece);
    const name = this.#watch.model.hello?.name.replaceAll(/[^\w.-]+/g, '-') ?? 'fleet';
    save(`${name}.ndjson`, parts, 'application/x-ndjson');
  }

  #replace(watch: Watch): void {
    this.#watch = watch;
    for (const listener of this.#listeners) listener();
  }
}
