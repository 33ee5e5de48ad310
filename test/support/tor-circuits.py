"""Which circuits Tor takes with a configuration, for whom: prints one JSON object of circuit numbers.

    python3 tor-circuits.py TORRC CONTROL SOCKS TARGET OTHER

CONTROL is the path of its control socket, SOCKS, TARGET and OTHER are ADDRESS:PORT. `again` is a second connection of the
same client, `client` one of another client, `target` one to another target, `renewed` one after SIGNAL NEWNYM.
"""
import json, socket, subprocess, sys, time

torrc, control, socks, target, other = sys.argv[1:]

def place(text):
    host, port = text.rsplit(':', 1)
    return host, int(port)

def ask(words):
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(control)
        link.sendall(f'AUTHENTICATE\r\n{words}\r\nQUIT\r\n'.encode())
        said = b''
        while chunk := link.recv(65536): said += chunk
    return said.decode()

def connect(client, to):
    """The circuit of a new connection, which is open until it is known."""
    address, port = place(to)
    with socket.create_connection(place(socks), timeout=60, source_address=(client, 0)) as link:
        link.sendall(b'\x05\x01\x00')
        link.recv(2)
        link.sendall(b'\x05\x01\x00\x01' + socket.inet_aton(address) + port.to_bytes(2, 'big'))
        if link.recv(10)[1:2] != b'\x00': raise SystemExit(f'no way to {to} for {client}')
        lines = [line.split() for line in ask('GETINFO stream-status').replace('250-stream-status=', '').splitlines()]
        return [line[2] for line in lines if len(line) > 3 and line[1] == 'SUCCEEDED' and line[3] == to][-1]

def main():
    base = place(socks)[0].rsplit('.', 1)[0]
    first, second = base + '.40', base + '.41'
    # A stream of conflux has two circuits, and says one of them.
    tor = subprocess.Popen(['tor', '--quiet', '-f', torrc, '--ConfluxEnabled', '0'], stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while True:
            try:
                if 'circuit-established=1' in ask('GETINFO status/circuit-established'): break
            except OSError:
                pass
            if time.monotonic() > until: raise SystemExit('Tor does not come up')
            time.sleep(0.2)
        found = {'first': connect(first, target), 'again': connect(first, target)}
        found['client'] = connect(second, target)
        found['target'] = connect(first, other)
        began = time.monotonic()
        if ask('SIGNAL NEWNYM').splitlines()[1] != '250 OK': raise SystemExit('Tor refuses NEWNYM')
        found['seconds'] = round(time.monotonic() - began, 3)
        found['renewed'] = connect(first, target)
        print(json.dumps(found), flush=True)
    finally:
        tor.kill()
        tor.wait()

main()
