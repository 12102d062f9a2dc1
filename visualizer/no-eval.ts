// Readers of messages are made without `new Function`: the page's Content-Security-Policy allows none.
// Invariant: imported before anything that makes a reader.
import * as z from 'zod';

z.config({ jitless: true });
