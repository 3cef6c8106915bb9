// Node: "A name" or "SRV name" on stdin, "ok address-or-target..." or "failed why" on stdout.
const dns = require('dns').promises;
const lines = require('readline').createInterface({input: process.stdin});

async function lookup(type, name) {
    if (type === 'SRV') return (await dns.resolveSrv(name)).map(srv => `${srv.name}:${srv.port}`);
    return (await dns.lookup(name, {all: true})).map(found => found.address);
}

(async () => {
    for await (const line of lines) {
        const [type, name] = line.split(' ');
        try {
            console.log(['ok', ...await lookup(type, name)].join(' '));
        } catch (error) {
            console.log('failed', error.code);
        }
    }
})();
