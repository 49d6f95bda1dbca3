/** What became of objects that were given to the store. */

export interface ImportStatistics {
  /** Objects that were written, and objects that were already there. */
  newObjects: number;
  presentObjects: number;
  /** Bytes of the new ones. */
  storedBytes: number;
}

/** Counts one object. */
export function countObject(statistics: ImportStatistics, sizeBytes: number, isNew: boolean): void {
  if (isNew) {
    statistics.newObjects++;
    statistics.storedBytes += sizeBytes;
  } else statistics.presentObjects++;
}
