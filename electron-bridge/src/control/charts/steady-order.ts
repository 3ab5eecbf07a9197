/** By so much a later one has to exceed an earlier one before the two change places. */
const MARGIN = 1.2;

/**
 * Items by their rates, largest first, as far as they differ clearly: those of nearly the same rate stay
 * in the order in which they were, so that a list can be read while it changes.
 */
export class SteadyOrder<Item> {
  private places = new Map<string, number>();

  constructor(
    private readonly keyOf: (item: Item) => string,
    private readonly rateOf: (item: Item) => number,
  ) {}

  of(items: readonly Item[]): Item[] {
    const last = this.places.size;
    const place = (item: Item): number => this.places.get(this.keyOf(item)) ?? last;
    const ordered = [...items].sort((left, right) => place(left) - place(right));
    for (let at = 1; at < ordered.length; at += 1) this.rise(ordered, at);
    this.places = new Map(ordered.map((item, at) => [this.keyOf(item), at]));
    return ordered;
  }

  /** Moves an item up past those that it clearly exceeds. */
  private rise(ordered: Item[], from: number): void {
    for (let at = from; at > 0; at -= 1) {
      const [above, below] = [ordered[at - 1], ordered[at]];
      if (above === undefined || below === undefined) return;
      if (this.rateOf(below) <= this.rateOf(above) * MARGIN) return;
      ordered[at - 1] = below;
      ordered[at] = above;
    }
  }
}
