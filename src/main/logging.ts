/** What main needs of a logger; the one of the telemetry folder is one. */
export interface Logger {
  debug(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}
