// Every maximum and default of Holdfast, in one place. Durations are milliseconds, sizes are bytes.
// Invariant: constants only.

/** What a WebSocket offers and must be answered with. */
export const SUBPROTOCOL = 'holdfast.v1';

export const limits = {
  /** Longest WebSocket message. A longer one closes the connection with 1009. */
  maxMessageBytes: 1_048_576,
  /** A turn's small frames leave together; once they are this many bytes they leave before its end, so that the peer works meanwhile. */
  ampleMessageBytes: 4_096,
  /** Longest payload of one CALL, RESULT, ITEM or CHUNK frame; larger values go in chunks of this size. */
  maxChunkBytes: 65_536,
  /** Arguments of one durable call: a hub keeps all of them in a record. */
  maxDurableBytes: 524_288,
  /** Revisions that a hub keeps in a store that it opened itself: of a fleet's records only the newest count. */
  keptRevisions: 10_000,
  /** Longest payload of a control frame. */
  maxControlBytes: 262_144,
  /** Largest value (argument list, result, stream item), all its chunks together. */
  maxValueBytes: 268_435_456,
  /** Bytes of values that one link may hold while they are put together from chunks. */
  maxAssemblyBytes: 536_870_912,
  /** Bytes of one call, in one direction, that may be under way without credit. */
  creditWindowBytes: 1_048_576,
  /** What may be under way of one call, in one direction, before its sender is cut off: the window, and a chunk at either end of it. */
  maxUncreditedBytes: 1_179_648,
  /** Bytes handed to a socket before further chunks wait; control frames do not wait. */
  bulkWatermarkBytes: 262_144,
  /** Bytes waiting for one peer beyond which it counts as a slow reader and is cut off. */
  maxOutboxBytes: 67_108_864,
  /** Bytes of own values waiting for one peer: they wait for credit, so the reader need not be slow. */
  maxOwnWaitingBytes: 536_870_912,
  /** The route of a CALL (its wishes about the node), as JSON text. */
  maxRouteBytes: 4_096,
  /** Arrays and objects inside one another, in a value. */
  maxValueDepth: 500,
  maxTokenLength: 4_096,
  /** Text of a FAILURE, and of reasons. */
  maxReasonLength: 8_192,
  maxStackLength: 32_768,
  /** Calls of one client that the hub knows at once. */
  maxCallsPerClient: 65_536,
  /** Outcomes that a client has and did not acknowledge yet, beyond `maxCallsPerClient`. */
  maxUnacknowledged: 4_096,
  /** Bytes of calls that wait at the hub for one node. */
  maxQueueBytes: 67_108_864,
  /** Bytes of calls of one client that wait at the hub, for whichever node. */
  maxWaitingBytes: 67_108_864,
  /** Calls of one node whose arguments are arriving in chunks at once. */
  maxBulkCalls: 32,
  /** Calls that wait in a client for its link. */
  maxClientQueue: 100_000,
  /** Calls that a node holds at once, waiting or running. */
  maxExecutions: 4_096,
  /** Peers (nodes and clients) that a hub numbers at once. */
  maxPeers: 65_535,
  /** Hubs that a peer was with before: a node says its ordinals there, a client their rosters. */
  maxFormerHubs: 8,
  /** Ranges of ordinals in one roster, so that it fits into a control frame; beyond it the smallest gaps are closed. */
  maxRosterRanges: 16_384,
  /** Ordinals of nodes that left, in one ROSTER; a client that missed more is told the whole roster. */
  maxRosterGone: 8_192,
  maxFunctionsPerNode: 1_024,
  /** Function names of one client's dictionary. */
  maxDefinitionsPerClient: 4_096,
  /** REGISTERs of one socket that are being decided. */
  maxUndecided: 16,
  /** Questions of one peer to the hub that wait for their answer. */
  maxQuestions: 1_024,
  maxNameLength: 256,
  /** Id of an actor in an inspection stream: a path of names. */
  maxActorLength: 1_024,
  maxLabels: 64,
  /** Milliseconds: longer heartbeat times would keep the session of a peer that is gone. */
  maxHeartbeatMs: 3_600_000,
  /** Milliseconds: a hub that asks for more would keep its peers away by mistake. */
  maxRetryAfterMs: 300_000,
  /** Results kept by a node until they are acknowledged. */
  maxRetainedResults: 10_000,
  maxRetainedBytes: 67_108_864,
  /** Events that one actor may have waiting. */
  maxMailboxSize: 10_000,
  /** One request to a store: its keys and values together. As etcd's default. */
  maxRequestBytes: 1_572_864,
  /** Comparisons, and operations of either branch, of a transaction; one within another has what that leaves. As etcd's default. */
  maxTxnOperations: 128,
  /** Seconds, as etcd's. */
  maxLeaseSeconds: 9_000_000_000,
  /** Requests that wait in a store to get in. */
  maxProposals: 100_000,
  /** Bytes of requests that wait in a store to get in. */
  maxProposalBytes: 268_435_456,
  /** Requests that a store's engine is given at once, and after how many bytes it gets no more. */
  maxBatch: 1_024,
  maxBatchBytes: 4_194_304,
  /** Events that wait for one watch before they are read again from history instead. */
  maxHeldEvents: 1_024,
  /** What a watch that is behind reads of the history at once: revisions that are looked through, changes, and their bytes. */
  maxHistoryRevisions: 16_384,
  maxHistoryChanges: 1_024,
  maxHistoryBytes: 1_048_576,
  /** Numbers of one model, all its tensors together: it travels as one value, beside which there is room for the rest. */
  maxModelBytes: 134_217_728,
  maxTensors: 4_096,
  maxTensorDimensions: 32,
  /** Metrics of one update. */
  maxUpdateMetrics: 64,
  /** Rounds of one run whose records are kept, the newest. */
  maxKeptRounds: 100_000,
  /** One piece of a checkpoint; with its key it fits into one request to any store. */
  checkpointPieceBytes: 1_048_576,
  /** Bytes of superseded checkpoints that an embedded store keeps in its history before a trainer has it forget them. */
  keptCheckpointBytes: 67_108_864,
} as const;

/** Defaults that all roles share; DESIGN table. */
export const defaults = {
  reconnectIntervalMs: 2_000,
  reconnectMaxMs: 60_000,
  maxRetryAttempts: 10,
  heartbeatIntervalMs: 5_000,
  heartbeatTimeoutMs: 15_000,
  healthCheckIntervalMs: 30_000,
  connectionTimeoutMs: 10_000,
  executionTimeoutMs: 300_000,
  maxQueueSize: 1_000,
  stableAfterMs: 10_000,
  sessionGraceMs: 60_000,
  drainTimeoutMs: 30_000,
  /** An idempotent call leaves a node that is absent for this long. */
  failoverAfterMs: 3_000,
  /** A call waits this long for a node that offers its function. */
  noNodeAfterMs: 10_000,
  maxConcurrentExecutions: 1_024,
  /** Attempts of one call, the first included. */
  maxCallAttempts: 8,
  /** For a store's engine to take a request, and to answer it then. */
  proposeTimeoutMs: 30_000,
  applyTimeoutMs: 30_000,
  /** A watch that asked for it is told the revision this often while nothing happens. */
  progressIntervalMs: 600_000,
  /** How much of a lease's time is left is written down this often: no more is lost when a store ends without notice. */
  leaseCheckpointMs: 1_000,
} as const;
