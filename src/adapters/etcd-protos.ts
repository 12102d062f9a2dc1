// etcd's messages and methods, read from the .proto files that the package etcd3 brings along.
// Invariant: no message is described a second time; what a message holds is etcd's word, for the server as for a client.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import protobuf from 'protobufjs';

/** One kind of message on the wire. */
export interface MessageCodec {
  readonly name: string;
  /** Takes plain objects; whole numbers may be numbers, `Int64`s, or decimal text. Absent fields count as their defaults. */
  encode(message: object): Uint8Array;
  /** Absent fields read as their defaults. @throws Error when the bytes are no such message */
  decode(bytes: Uint8Array): object;
}

export interface EtcdMethod {
  /** As HTTP/2 carries it: `/etcdserverpb.KV/Put`. */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly request: MessageCodec;
  readonly response: MessageCodec;
}

export interface EtcdProtos {
  /** By path. */
  readonly methods: ReadonlyMap<string, EtcdMethod>;
  /** By full name, such as `mvccpb.KeyValue`. @throws Error for a name that the files do not hold */
  message(name: string): MessageCodec;
}

const SERVICES = ['KV', 'Watch', 'Lease', 'Cluster', 'Maintenance', 'Auth'];
const PACKAGE = 'etcdserverpb';

let loaded: EtcdProtos | undefined;

/** Reads the files once a process; that takes some 20 ms. */
export function loadEtcdProtos(): EtcdProtos {
  return (loaded ??= load());
}

function load(): EtcdProtos {
  const folder = join(dirname(createRequire(import.meta.url).resolve('etcd3/package.json')), 'proto');
  const root = new protobuf.Root().loadSync(join(folder, 'rpc.proto'), { keepCase: true });
  root.resolveAll();
  const codecs = new Map<string, MessageCodec>();
  const message = (name: string): MessageCodec => {
    let codec = codecs.get(name);
    if (codec === undefined) codecs.set(name, (codec = codecOf(root.lookupType(name))));
    return codec;
  };
  const methods = new Map<string, EtcdMethod>();
  for (const serviceName of SERVICES) {
    const service = root.lookupService(`${PACKAGE}.${serviceName}`);
    for (const method of service.methodsArray) {
      const path = `/${PACKAGE}.${serviceName}/${method.name}`;
      methods.set(path, {
        path,
        requestStream: method.requestStream === true,
        responseStream: method.responseStream === true,
        request: message(`${PACKAGE}.${method.requestType}`),
        response: message(`${PACKAGE}.${method.responseType}`),
      });
    }
  }
  return { methods, message };
}

function codecOf(type: protobuf.Type): MessageCodec {
  return {
    name: type.fullName.slice(1),
    encode: (value) => type.encode(value as Record<string, unknown>).finish(),
    decode: (bytes) => type.decode(bytes),
  };
}
