// Owns a binary heap: the least element first, by the order that it is given.

export class Heap {
  #items = [];
  #isLess;

  constructor(isLess) {
    this.#isLess = isLess;
  }

  get size() {
    return this.#items.length;
  }

  get first() {
    return this.#items[0];
  }

  push(item) {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isLess(item, items[parent])) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = item;
  }

  pop() {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (items.length > 0) this.#sink(last);
    return top;
  }

  #sink(item) {
    const items = this.#items;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#isLess(items[child + 1], items[child])) child += 1;
      if (!this.#isLess(items[child], item)) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = item;
  }
}
