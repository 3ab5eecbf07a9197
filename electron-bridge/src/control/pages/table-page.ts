import { Poll } from '../backend/poll';
import { h, setText, type Child } from '../dom';
import { Drawer } from '../widgets/drawer';
import { Grid, type GridOptions } from '../widgets/grid';
import { SearchField } from '../widgets/search-field';
import type { Context, Page } from './page';
import { PageFrame } from './page-frame';

/** A page that is one table, with a search field above it and the details of a row beside it. */
export abstract class TablePage<Row> implements Page {
  readonly element: HTMLElement;
  private readonly frame = new PageFrame();
  protected readonly grid: Grid<Row>;
  protected readonly drawer = new Drawer(() => this.closed());
  protected readonly poll: Poll;
  protected readonly field: SearchField;
  private readonly about = h('span', { class: 'quiet about' });

  /** `tools` stand beside the search field, whose label is `search`; the page is asked each `everyMs`. */
  constructor(
    protected readonly context: Context,
    search: string,
    everyMs: number,
    options: GridOptions<Row>,
    tools: readonly Child[] = [],
  ) {
    this.grid = new Grid(options);
    this.field = new SearchField(search, () => this.searched());
    const table = h('div', { class: 'card view' }, this.grid.element);
    const content = h('div', { class: 'tab-host' }, table);
    const bar = [this.field.element, ...tools, this.about];
    this.poll = new Poll(everyMs, async () => {
      try {
        setText(this.about, await this.look());
      } catch {
        // The page says above that the backend is away, or may not be asked.
      }
      this.frame.fill(bar, content, this.drawer, tools.length > 0 ? 'flowing' : '');
    });
    this.element = this.frame.element;
  }

  abstract show(what: string): void;

  /** Asks the backend and draws; resolves with what is said of it beside the search field. */
  protected abstract look(): Promise<string>;

  /** A person has looked for something else. */
  protected searched(): void {
    this.poll.now();
  }

  /** The details were closed. */
  protected closed(): void {
    this.grid.select('');
  }

  search(): void {
    this.field.focus();
  }

  escape(): boolean {
    return this.drawer.close();
  }

  close(): void {
    this.poll.stop();
    this.grid.close();
  }
}
