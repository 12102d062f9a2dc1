// Keepalives of all leases on one stream a member: each is answered in the order in which it was sent, for its lease.
// Invariant: every waiter is told once: the answer, or that the stream ended.
import type { HeaderMessage, Int64 } from './messages.ts';
import type { Channel, RpcCall, RpcFailure, RpcMetadata, RpcStream, UnaryHandlers } from './transport.ts';

export interface KeepaliveMessage extends HeaderMessage {
  readonly ID: Int64;
  /** 0: there is no such lease. */
  readonly TTL: Int64;
}

interface Stream {
  readonly channel: Channel;
  readonly metadata: RpcMetadata;
  readonly rpc: RpcStream;
  readonly waiting: Map<string, UnaryHandlers[]>;
}

export class Keepalives {
  #stream: Stream | undefined;

  send(channel: Channel, metadata: RpcMetadata, id: string, handlers: UnaryHandlers): RpcCall {
    const { waiting, rpc } = this.#streamOf(channel, metadata);
    const line = waiting.get(id);
    if (line === undefined) waiting.set(id, [handlers]);
    else line.push(handlers);
    rpc.send({ ID: id });
    // What was sent keeps its place in the line: its answer comes before those of later ones.
    return { cancel: () => undefined };
  }

  close(): void {
    this.#stream?.rpc.cancel();
    this.#stream = undefined;
  }

  #streamOf(channel: Channel, metadata: RpcMetadata): Stream {
    const known = this.#stream;
    if (known?.channel === channel && known.metadata === metadata) return known;
    const waiting = new Map<string, UnaryHandlers[]>();
    const rpc = channel.stream('Lease.LeaseKeepAlive', metadata, {
      message: (message) => this.#heard(stream, message as KeepaliveMessage),
      ended: (failure) => this.#ended(stream, failure),
    });
    const stream: Stream = { channel, metadata, rpc, waiting };
    this.#stream = stream;
    // The former stream is left when its last answer has come.
    if (known !== undefined) leaveIfIdle(known);
    return stream;
  }

  #heard(stream: Stream, message: KeepaliveMessage): void {
    const id = message.ID.toString();
    const line = stream.waiting.get(id);
    const handlers = line?.shift();
    if (line?.length === 0) stream.waiting.delete(id);
    handlers?.answered(message);
    if (stream !== this.#stream) leaveIfIdle(stream);
  }

  #ended(stream: Stream, failure: RpcFailure): void {
    if (this.#stream === stream) this.#stream = undefined;
    const lines = [...stream.waiting.values()];
    stream.waiting.clear();
    for (const line of lines) for (const handlers of line) handlers.failed(failure);
  }
}

function leaveIfIdle({ rpc, waiting }: Stream): void {
  if (waiting.size === 0) rpc.cancel();
}
