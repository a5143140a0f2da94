'use strict'
// The recipes of docs/operations.md as programs that run on loopback: the text
// is the page's own, with our ports and paths in it and without TLS. A name that
// is to be replaced and is not there fails the test, so the two cannot drift.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')

const PAGE = path.join(__dirname, '../../docs/operations.md')
const MODULES = '/usr/lib/apache2/modules'

// The one block of that language.
function recipe (language) {
  const page = fs.readFileSync(PAGE, 'utf8')
  const blocks = page.split('\n```' + language + '\n').slice(1)
  assert.equal(blocks.length, 1, `${blocks.length} blocks of ${language} in ${PAGE}`)
  return blocks[0].slice(0, blocks[0].indexOf('```'))
}

function replace (text, changes) {
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), `the recipe has no ${from}`)
    text = text.replaceAll(from, to)
  }
  return text
}

async function freePort () {
  const server = net.createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

// The program's full path, or undefined.
function onPath (program) {
  return process.env.PATH.split(':').map((folder) => path.join(folder, program)).find((file) => fs.existsSync(file))
}

const isRoot = process.getuid() === 0

// Each: what writes its files into `folder` and says how to start it.
//   command   the program and its arguments
//   logs      files that must not name a token; stdout and stderr are looked at, too
// `logged` is what a request leaves in a log, where that is not its path behind the
// token. What is `optional` is passed over where it is not installed.
const proxies = {
  nginx: {
    program: '/usr/sbin/nginx',
    prepare ({ folder, port, upstream }) {
      const text = replace(recipe('nginx'), [
        ['127.0.0.1:8080', `127.0.0.1:${upstream}`],
        ['listen 443 ssl;', `listen 127.0.0.1:${port};`],
        ['    ssl_certificate     /etc/ssl/example.org.crt;\n', ''],
        ['    ssl_certificate_key /etc/ssl/example.org.key;\n', ''],
        ['/var/log/nginx/', `${folder}/`]
      ])
      const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((name) => `${name}_temp_path ${folder}/${name};`).join('\n')
      fs.writeFileSync(`${folder}/nginx.conf`, `
${isRoot ? 'user root;' : ''}
daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log crit;
events {}
http {
${places}
access_log off;
${text}
}
`)
      return {
        command: [this.program, '-p', folder, '-c', `${folder}/nginx.conf`, '-e', `${folder}/error.log`],
        logs: ['confab.log', 'confab-error.log', 'error.log']
      }
    }
  },

  Caddy: {
    program: '/usr/bin/caddy',
    prepare ({ folder, port, upstream }) {
      fs.writeFileSync(`${folder}/Caddyfile`, replace(recipe('caddy'), [
        ['127.0.0.1:8080', `127.0.0.1:${upstream}`],
        ['{\n\tlog {', '{\n\tadmin off\n\tgrace_period 1s\n\tlog {'],
        ['example.org {', `http://127.0.0.1:${port} {`]
      ]))
      return {
        command: [this.program, 'run', '--config', `${folder}/Caddyfile`, '--adapter', 'caddyfile'],
        env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
        logs: []
      }
    }
  },

  Apache: {
    program: '/usr/sbin/apache2',
    prepare ({ folder, port, upstream }) {
      const modules = ['mpm_event', 'authz_core', 'alias', 'setenvif', 'headers', 'asis', 'proxy', 'proxy_http']
      const text = replace(recipe('apache'), [
        ['127.0.0.1:8080', `127.0.0.1:${upstream}`],
        ['*:443', `127.0.0.1:${port}`],
        ['    SSLEngine on\n', ''],
        ['    SSLCertificateFile    /etc/ssl/example.org.crt\n', ''],
        ['    SSLCertificateKeyFile /etc/ssl/example.org.key\n', ''],
        ['${APACHE_LOG_DIR}', folder], // eslint-disable-line no-template-curly-in-string
        ['/etc/apache2/confab-away.asis', `${folder}/confab-away.asis`]
      ])
      fs.writeFileSync(`${folder}/confab-away.asis`, recipe('asis'), { mode: 0o644 })
      fs.writeFileSync(`${folder}/apache.conf`, `
ServerRoot ${folder}
ServerName 127.0.0.1
DefaultRuntimeDir ${folder}
PidFile ${folder}/apache.pid
Mutex pthread
# Two processes, so that the test knows how many keep connections to the server.
ServerLimit 2
StartServers 2
ErrorLog ${folder}/error.log
Listen 127.0.0.1:${port}
${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
${isRoot ? 'User nobody\nGroup nogroup' : ''}
<Directory />
    Require all denied
</Directory>
${text}
`)
      return {
        command: [this.program, '-D', 'FOREGROUND', '-f', `${folder}/apache.conf`],
        logs: ['confab.log', 'confab-error.log', 'error.log']
      }
    }
  },

  HAProxy: {
    program: '/usr/sbin/haproxy',
    prepare ({ folder, port, upstream }) {
      fs.writeFileSync(`${folder}/confab-away.http`,
        recipe('haproxy-errorfile').replaceAll('\n', '\r\n'))
      const text = replace(recipe('haproxy'), [
        ['127.0.0.1:8080', `127.0.0.1:${upstream}`],
        ['bind :443 ssl crt /etc/haproxy/example.org.pem', `bind 127.0.0.1:${port}`],
        ['/etc/haproxy/confab-away.http', `${folder}/confab-away.http`]
      ])
      fs.writeFileSync(`${folder}/haproxy.cfg`, `
global
    log stdout format raw local0
${text}
`)
      return { command: [this.program, '-db', '-f', `${folder}/haproxy.cfg`], logs: [] }
    }
  },

  // No package of Debian's: it is tried where somebody has installed it.
  Traefik: {
    program: onPath('traefik'),
    optional: true,
    logged: /"DownstreamStatus":200/, // no path: it can only leave all of it out
    async prepare ({ folder, port, upstream }) {
      const away = ['127.0.0.1:8079', `127.0.0.1:${await freePort()}`]
      fs.writeFileSync(`${folder}/traefik.yml`, replace(recipe('yaml traefik.yml'), [
        away,
        ['":443"', `"127.0.0.1:${port}"`],
        ['      tls: {}\n', ''],
        ['/etc/traefik/confab.yml', `${folder}/confab.yml`]
      ]))
      fs.writeFileSync(`${folder}/confab.yml`, replace(recipe('yaml confab.yml'), [
        away,
        ['127.0.0.1:8080', `127.0.0.1:${upstream}`],
        ['Host(`example.org`)', 'Host(`127.0.0.1`)']
      ]))
      return { command: [this.program, `--configFile=${folder}/traefik.yml`], logs: [] }
    }
  }
}

function temporaryFolder (name) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `confab-${name}-`))
  fs.chmodSync(folder, 0o755) // a proxy started by root reads it as nobody
  return folder
}

module.exports = { proxies, freePort, temporaryFolder }
