// Methods with one request and one answer, typed by their messages.
// Invariant: whatever a store throws leaves as a status.
import type { Metadata, Method } from './call.ts';
import { toStatusError } from './errors.ts';

/** `name` as in `KV/Put`. The request is what etcd's files say it is for that name. */
export function unary<Request extends object>(
  name: string,
  answer: (request: Request, metadata: Metadata) => Promise<object>,
): [path: string, method: Method] {
  return [
    `/etcdserverpb.${name}`,
    {
      type: 'unary',
      async answer(request, metadata) {
        try {
          return await answer(request as Request, metadata);
        } catch (error) {
          throw toStatusError(error);
        }
      },
    },
  ];
}
