/** Gives a file to the browser, which keeps it where it keeps what is downloaded. */
export function saveFile({ content, name }) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // the browser has begun to read it by then
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
