// Asks for the token that the server wants.
// Invariant: a token stays in this tab; it is in no address, which people share.
import { useState } from 'react';
import type { Source } from '../source.ts';
import { Dialog } from './dialog.tsx';

export function TokenPrompt({ source, reason }: { readonly source: Source; readonly reason: string }) {
  const [token, setToken] = useState(source.tokens.token ?? '');
  const [operator, setOperator] = useState(source.tokens.operatorToken ?? '');
  const [shown, setShown] = useState<'shown' | 'hidden'>('shown');
  if (shown === 'hidden') return null;
  return (
    <Dialog title="This fleet wants a token" onCancel={() => setShown('hidden')}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          source.setTokens({
            ...(token === '' ? {} : { token }),
            ...(operator === '' ? {} : { operatorToken: operator }),
          });
        }}
      >
        <p className="soft">The server says: {reason}</p>
        <label className="field">
          <span>Token of the hub</span>
          <input
            type="password"
            autoComplete="off"
            value={token}
            onChange={(it) => setToken(it.target.value)}
          />
        </label>
        <label className="field">
          <span>Operator’s token, to drain, pause or retry (optional)</span>
          <input
            type="password"
            autoComplete="off"
            value={operator}
            onChange={(it) => setOperator(it.target.value)}
          />
        </label>
        <div className="dialog-acts">
          <button type="button" onClick={() => setShown('hidden')}>
            Not now
          </button>
          <button type="submit" className="primary">
            Connect
          </button>
        </div>
      </form>
    </Dialog>
  );
}
