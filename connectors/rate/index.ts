// Records made by the clock, so many a second, as a source.
export { type RateSourceOptions, type RateValue, rateSource } from "./source.ts";
