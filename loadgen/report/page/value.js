// Value of the Go package, for what is drawn: the same text for the same number. The tests of the page hold every figure's
// text, which Go wrote, against this.
function value(v, unit) {
  if (v == null || !Number.isFinite(v)) return '–';
  if (v < 0) return '-' + value(-v, unit);
  switch (unit) {
    case '': return count(v);
    case 's': case 'cpu-s': return seconds(v);
    case 'bytes': return bytes(v);
    case 'bytes/s': return bytes(v) + '/s';
    case '/s': return count(v) + '/s';
    case 'ratio': return percent(v);
  }
  return count(v) + ' ' + unit;
}

function count(v) {
  if (v >= 1e15) return v.toPrecision(3).replace(/\.?0*(e|$)/, '$1');
  if (v < 999.5 && v !== Math.trunc(v)) return digits(v);
  return v.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ',');
}

function digits(v) {
  if (v === 0) return '0';
  const before = Math.floor(Math.log10(v)) + 1;
  const s = v.toFixed(Math.min(100, Math.max(0, 3 - before)));
  return s.includes('.') ? s.replace(/\.?0+$/, '') : s;
}

function seconds(v) {
  if (v === 0) return '0 s';
  if (v < 999.5e-9) return digits(v * 1e9) + ' ns';
  if (v < 999.5e-6) return digits(v * 1e6) + ' µs';
  if (v < 999.5e-3) return digits(v * 1e3) + ' ms';
  if (v < 59.95) return digits(v) + ' s';
  if (v < 3599.5) return parts(v, 60, 'm', 's');
  if (v < 86400 - 30) return parts(v / 60, 60, 'h', 'm');
  return parts(v / 3600, 24, 'd', 'h');
}

function parts(small, big, bigName, smallName) {
  small = Math.round(small);
  const rest = small % big;
  return Math.floor(small / big) + bigName + (rest > 0 ? ` ${rest}${smallName}` : '');
}

function bytes(v) {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  while (v >= 1023.5 && names.length > 1) {
    v /= 1024;
    names.shift();
  }
  return digits(v) + ' ' + names[0];
}

function percent(v) {
  v *= 100;
  let s = digits(v);
  for (let decimals = 1; s === '100' && v !== 100 && decimals < 9; decimals++) {
    s = v.toFixed(decimals);
    if (/^[10.]*$/.test(s)) s = '100';
  }
  return s + '%';
}
