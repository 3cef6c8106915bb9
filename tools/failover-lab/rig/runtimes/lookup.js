// Node as it comes: "ID NAME" on stdin, "ID ok ADDRESS..." or "ID failed WHY" on stdout.
const dns = require('dns');
const lines = require('readline').createInterface({input: process.stdin});

lines.on('line', line => {
    const [id, name] = line.split(' ');
    dns.lookup(name, {all: true, family: 4}, (error, found) => {
        if (!error) console.log([id, 'ok', ...found.map(one => one.address)].join(' '));
        else if (error.code === 'ENOTFOUND' || error.code === 'ENODATA') console.log(`${id} ok`);
        else console.log(`${id} failed ${error.code}`);
    });
});
