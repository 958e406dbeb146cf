// A file that the server made for this page: the browser keeps it at once, and a line says so. The bytes travel in the
// value, so nothing lies about on the server.
const say = element.querySelector('p');

watch('value', () => {
  const {name, type, data, words} = props.value || {};
  say.textContent = words || '';
  if (!data) return;
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes], {type}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
});
