/** Places of numbers inside plain JSON data. */
export type LeafPath = readonly string[];

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

export const numericLeaves = (value: unknown, at: LeafPath = []): readonly LeafPath[] => {
  if (typeof value === "number") return [at];
  return isRecord(value) ? Object.entries(value).flatMap(([key, each]) => numericLeaves(each, [...at, key])) : [];
};

export const leafAt = (value: unknown, path: LeafPath): unknown => path.reduce((each, key) => (isRecord(each) ? each[key] : undefined), value);

/** A copy that has another value at `path`; the rest is kept by reference. */
export const withLeaf = (value: unknown, path: LeafPath, leaf: unknown): unknown => {
  const [key, ...rest] = path;
  if (key === undefined) return leaf;
  if (Array.isArray(value)) return value.map((each: unknown, i) => (String(i) === key ? withLeaf(each, rest, leaf) : each));
  return isRecord(value) ? { ...value, [key]: withLeaf(value[key], rest, leaf) } : value;
};

/** The same data; tells which places were read. */
export const recordingReads = (value: unknown, read: (path: LeafPath) => void, at: LeafPath = []): unknown =>
  isRecord(value)
    ? new Proxy(value, {
        get: (target, key, receiver) => {
          const found: unknown = Reflect.get(target, key, receiver);
          if (typeof key !== "string") return found;
          read([...at, key]);
          return Object.isFrozen(target) ? found : recordingReads(found, read, [...at, key]);
        },
      })
    : value;
