/** An item of a tree, in the order in which a tree is read, and how deep it is. */
export interface Branch<Item> {
  item: Item;
  depth: number;
}

/** Each item below its parent; those whose parent is not among them are roots. */
export function asTree<Item, Id>(
  items: readonly Item[],
  idOf: (item: Item) => Id,
  parentOf: (item: Item) => Id | undefined,
): Branch<Item>[] {
  const ids = new Set(items.map(idOf));
  const roots: Item[] = [];
  const children = new Map<Id, Item[]>();
  for (const item of items) {
    const parent = parentOf(item);
    if (parent === undefined || !ids.has(parent)) roots.push(item);
    else children.set(parent, [...(children.get(parent) ?? []), item]);
  }
  const below = (level: readonly Item[], depth: number): Branch<Item>[] =>
    level.flatMap((item) => [{ item, depth }, ...below(children.get(idOf(item)) ?? [], depth + 1)]);
  return below(roots, 0);
}
