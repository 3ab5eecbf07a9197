import { h } from '../../dom';
import { Grid, type GridOptions } from '../../widgets/grid';
import type { View } from '../bus/view';

/** A table of what the agent of FDC3 knows; the details of a row open beside it. */
export abstract class Fdc3View<Row> implements View {
  readonly element: HTMLElement;
  private readonly grid: Grid<Row>;

  constructor(private readonly options: GridOptions<Row>) {
    this.grid = new Grid(options);
    this.element = h('div', { class: 'card view' }, this.grid.element);
  }

  async look(search: string): Promise<string> {
    const rows = await this.rows();
    const wanted = search.toLowerCase();
    this.grid.draw(
      rows.filter((row) => this.wordsOf(row).toLowerCase().includes(wanted)),
      wanted !== '',
    );
    return this.count(rows.length);
  }

  select(): void {
    this.grid.select('');
  }

  close(): void {
    this.grid.close();
  }

  protected abstract rows(): Promise<readonly Row[]>;
  /** The words in which a search looks. */
  protected abstract wordsOf(row: Row): string;
  protected abstract count(rows: number): string;

  protected mark(row: Row): void {
    this.grid.select(this.options.key(row));
  }
}
