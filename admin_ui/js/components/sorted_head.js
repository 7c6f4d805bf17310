import { html } from '../html.js';

/**
 * `p95`: as that column is sorted at first, the greatest on top but for names; `-p95`: the other way.
 * columns: {name: {value, isName}}; usual: the column by which it is sorted where nobody says otherwise.
 */
export function sortIn(text, columns, usual) {
  const column = text?.replace(/^-/, '') ?? '';
  const known = Object.hasOwn(columns, column) ? column : usual;
  return { column: known, isDown: !columns[known].isName !== (known === column && text.startsWith('-')) };
}

export function sortedBy(rows, { column, isDown }, columns) {
  const { value } = columns[column];
  const compare = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
  return [...rows].sort((a, b) => (isDown ? -1 : 1) * compare(a, b));
}

/** onSort is given the text that stands for the new order. */
export function SortedHead({ column, sort, columns, label, onSort }) {
  const isSorted = column === sort.column;
  const first = !columns[column].isName;
  return html`
    <th scope="col" aria-sort=${isSorted ? (sort.isDown ? 'descending' : 'ascending') : null}>
      <button type="button" class="bare" onClick=${() => onSort(isSorted && sort.isDown === first ? `-${column}` : column)}>
        ${label}<span aria-hidden="true">${isSorted ? (sort.isDown ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>`;
}
