/**
 * The ids of the heartbeat rows: the MD5 of `<database>.tillstream_heartbeat.<slot>`, which is the
 * partition key of the row's records, falls into the first 64th of the hash range for the first id, into the second for
 * the second, and so on, in `inventory` and in `orders` alike. So every shard carries beats as long as a stream has no
 * shard narrower than a 64th. For each 64th it is the smallest number that suits both databases.
 */
export const heartbeatSlots: readonly string[] = [
  5584, 12167, 4805, 1884, 3105, 9098, 13496, 5453, 192, 265, 7500, 5452, 1800, 5534, 2437, 8989, 1659, 5925, 2962, 818,
  1110, 3464, 1396, 300, 3845, 1186, 830, 10275, 2135, 4989, 892, 114, 987, 807, 331, 6246, 6469, 3401, 82, 6456, 3,
  3656, 5306, 4250, 599, 11345, 10125, 8624, 12367, 103, 7135, 2082, 9653, 2613, 2569, 14157, 12190, 1242, 1235, 9818,
  759, 2123, 2025, 6130,
].map((number) => `beat-${number}`);
