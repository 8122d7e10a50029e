// One record of the flight log, and the two ways its numbers are shown.

/** A line of data/flights/N.ndjson: a departure of one day in the United States. */
export interface Flight {
  /** Minutes; negative: earlier than planned. */
  readonly delay: number;
  /** Miles. */
  readonly distance: number;
  /** Planned departure in hours after midnight: 13.5 is half past one. */
  readonly time: number;
}

/** As load-topic.ts puts it into the topic. */
export interface NumberedFlight extends Flight {
  readonly id: number;
}

/** From this delay on a flight counts as late. */
export const lateMinutes = 60;

/** 13.5 as `13:30`. */
export function clockTime(hours: number): string {
  const minutes = Math.round(hours * 60);
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}
