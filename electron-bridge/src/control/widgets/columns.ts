import { plain } from './cells';
import type { Column } from './grid';

interface Options<Row> {
  /** The words of a row; where given, they stand in place of the value that it is sorted by. */
  say?: (row: Row) => string;
  /** The style of its words. */
  kind?: string | ((row: Row) => string);
  from?: number;
}

/** A column of words or figures; `by` is the value by which it is sorted. */
export function column<Row>(
  id: string,
  title: string,
  width: string,
  by: (row: Row) => string | number,
  { say = (row) => String(by(row)), kind = '', from }: Options<Row> = {},
): Column<Row> {
  const kindOf = typeof kind === 'string' ? () => kind : kind;
  return {
    id,
    title,
    width,
    ...(from === undefined ? {} : { from }),
    by,
    draw: (cell, row) => plain(cell, say(row), kindOf(row)),
  };
}

/** A column of figures, which stand at its end. */
export function figures<Row>(...each: Parameters<typeof column<Row>>): Column<Row> {
  return { ...column(...each), isEnd: true };
}
