// Topic patterns: levels split by dots, `*` is exactly one level, `#` zero or more, anywhere.

/** Whether `topic` fits `pattern`. Costs at most the length of one times that of the other. */
export function matches(pattern: string, topic: string): boolean {
  if (!pattern.includes('*') && !pattern.includes('#')) return pattern === topic;
  const levels = pattern.split('.');
  // Pattern positions that are still possible after the levels of the topic seen so far.
  let positions = skipMany(levels, new Set([0]));
  for (const name of topic.split('.')) {
    const after = new Set<number>();
    for (const at of positions) {
      const level = levels[at];
      if (level === '#') after.add(at);
      else if (level === '*' || level === name) after.add(at + 1);
    }
    positions = skipMany(levels, after);
    if (positions.size === 0) return false;
  }
  return positions.has(levels.length);
}

/** Adds what is reached by letting a `#` stand for nothing. */
function skipMany(levels: string[], positions: Set<number>): Set<number> {
  for (const at of positions) if (levels[at] === '#') positions.add(at + 1);
  return positions;
}
