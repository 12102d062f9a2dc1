// A value that the address keeps, at hand at once: the address follows a little later.
// Invariant: whenever the address says something else, that counts.
import { useState } from 'react';

/** What is typed quickly, and keys that are pressed quickly, must not wait for the address. */
export function useFollowed(asked: string): [value: string, setValue: (value: string) => void] {
  const [value, setValue] = useState(asked);
  const [followed, setFollowed] = useState(asked);
  if (followed !== asked) {
    setFollowed(asked);
    setValue(asked);
  }
  return [value, setValue];
}
