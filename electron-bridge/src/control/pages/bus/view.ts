/** One of the views of the bus: what is asked of the backend, and how it is shown. */
export interface View {
  readonly element: HTMLElement;
  /** Asks anew, for what contains `search`; resolves with what is said of it beside the search field. */
  look(search: string): Promise<string>;
  /** The row or node whose details are open is no longer marked, or that of `topic` is. */
  select(topic: string): void;
  close(): void;
}
