/** What both ends of the stressed rings write and expect: every word of a slot follows from the number of the slot, and the last one is a sum over all others. */

/** Kind of a slot whose payload is a message on the port. */
export const CONTROL = 2;
const DATA = 1;

function mix(value) {
  let z = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) | 0;
}

/** Word 0 kind, word 1 number, words 2 … n−2 mixed from number and salt, word n−1 their sum. */
export function writeSlot(words, at, slotWords, number, salt) {
  words[at] = DATA;
  words[at + 1] = number;
  let sum = number;
  for (let word = 2; word < slotWords - 1; word++) {
    const value = mix(number ^ salt ^ (word << 24));
    words[at + word] = value;
    sum = (sum + value) | 0;
  }
  words[at + slotWords - 1] = sum;
}

/** What is wrong with a slot, or null. */
export function checkSlot(words, at, slotWords, number, salt) {
  if (words[at] !== DATA) return `kind ${words[at]} in slot ${number}`;
  if (words[at + 1] !== number) return `slot ${words[at + 1]} where ${number} was due`;
  let sum = number;
  for (let word = 2; word < slotWords - 1; word++) {
    const value = mix(number ^ salt ^ (word << 24));
    if (words[at + word] !== value) return `word ${word} of slot ${number} is torn`;
    sum = (sum + value) | 0;
  }
  return words[at + slotWords - 1] === sum ? null : `sum of slot ${number} is wrong`;
}

/** A small seeded generator (splitmix32). */
export function prng(seed) {
  let state = seed | 0;
  return (bound) => {
    state = (state + 0x9e3779b9) | 0;
    return Math.floor(((mix(state) >>> 0) / 4294967296) * bound);
  };
}
