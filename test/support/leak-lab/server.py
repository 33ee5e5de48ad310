# Process 1 of a leak lab's namespaces (`namespace.ts`): sends raw frames, keeps taps, runs commands. One JSON request a
# line on standard input, one JSON answer a line. It knows nothing of routers; it ends with its standard input.
import base64, ctypes, json, mmap, os, pty, select, shutil, socket, struct, subprocess, sys, threading, time, tty

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, TPACKET_V2 = 263, 5, 6, 10, 1
ALL = socket.htons(3)
BLOCK = 1 << 20


def enter(ns):
    """Moves the calling thread into a network namespace; `host` is the lab's own."""
    fd = os.open(HOME if ns == 'host' else f'/run/netns/{ns}', os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f'cannot enter {ns}')
    finally:
        os.close(fd)


HOME = f'/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net'


def inside(ns, do):
    """Runs `do` in a thread of its own inside `ns`; what it opens stays there."""
    box = {}

    def work():
        try:
            enter(ns)
            box['result'] = do()
        except BaseException as error:
            box['error'] = error

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if 'error' in box:
        raise box['error']
    return box['result']


# --- commands -----------------------------------------------------------------------------------------------------

started = {}


def argv_in(ns, argv):
    return argv if ns == 'host' else ['nsenter', f'--net=/run/netns/{ns}', *argv]


def run(ns, argv, input='', timeout=30):
    done = subprocess.run(argv_in(ns, argv), input=input, capture_output=True, text=True, timeout=timeout)
    return {'status': done.returncode, 'stdout': done.stdout, 'stderr': done.stderr}


def start(id, ns, argv, input=''):
    started[id] = subprocess.Popen(argv_in(ns, argv), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.STDOUT, text=True)
    started[id].stdin.write(input)
    started[id].stdin.close()
    return {'pid': started[id].pid}


def child_of(pid):
    """The first process of a PID namespace that `unshare --fork` with this pid made, once it runs its program."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            with open(f'/proc/{pid}/task/{pid}/children') as file:
                children = file.read().split()
            if children:
                return {'pid': int(children[0])}
        except FileNotFoundError:
            break
        time.sleep(0.002)
    raise RuntimeError(f'{pid} has no child')


def end(id):
    process = started.pop(id, None)
    if process is not None:
        process.kill()
        process.wait()
    return {}


def settings(ns, values):
    def write():
        for path, value in values.items():
            with open(f'/proc/sys/{path}', 'w') as file:
                file.write(value)

    inside(ns, write)
    return {}


def read_files(ns, paths):
    def read():
        found = {}
        for path in paths:
            try:
                with open(path) as file:
                    found[path] = file.read()
            except FileNotFoundError:
                found[path] = None
        return found

    return {'files': inside(ns, read)}


def write_files(folder, files, replace=False):
    if replace:
        shutil.rmtree(folder, ignore_errors=True)
    for path, (text, mode) in files.items():
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, 'w') as file:
            file.write(text)
        os.chmod(target, mode)
    return {}


def link_files(folder, links):
    for path, target in links.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        os.symlink(target, os.path.join(folder, path))
    return {}


def remove(paths):
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.remove(path)
    return {}


def when(path, ns, argv, done):
    """Runs a command once when `path` appears, then makes `done`."""

    def watch():
        until = time.monotonic() + 20
        while time.monotonic() < until and not os.path.exists(path):
            time.sleep(0.002)
        run(ns, argv)
        open(done, 'w').close()

    threading.Thread(target=watch, daemon=True).start()
    return {}


# --- the agent's channel: a terminal in place of a virtio port -----------------------------------------------------

channels = {}


def open_channel(id, node):
    master, slave = pty.openpty()
    tty.setraw(slave)
    open(node, 'w').close()
    subprocess.run(['mount', '--bind', os.ttyname(slave), node], check=True)
    os.chmod(node, 0o666)
    channels[id] = (master, slave, [b''])
    return {}


def ask(id, text, wanted, timeout):
    """Writes `text`; the first line that has `wanted` in it, or null after `timeout` seconds."""
    master, _, rest = channels[id]
    os.write(master, text.encode())
    until = time.monotonic() + timeout
    while True:
        *lines, rest[0] = rest[0].split(b'\n')
        for number, line in enumerate(lines):
            if wanted.encode() in line:
                rest[0] = b'\n'.join([*lines[number + 1:], rest[0]])
                return {'line': line.decode(errors='replace')}
        left = until - time.monotonic()
        if left <= 0 or not select.select([master], [], [], left)[0]:
            return {'line': None}
        rest[0] += os.read(master, 65536)


def talk(id, data, wanted, timeout, of):
    """Writes bytes of any kind and reads all the while; lines until there are `wanted` and none more, or a silence of
    `timeout` seconds, or the end of the process `of`."""
    master, _, rest = channels[id]
    data, lines, heard = base64.b64decode(data), [], time.monotonic()
    os.set_blocking(master, False)
    try:
        while True:
            readable, writable, _ = select.select([master], [master] if data else [], [], 0.1)
            if readable or writable:
                heard = time.monotonic()
            if readable:
                *more, rest[0] = (rest[0] + os.read(master, 65536)).split(b'\n')
                lines += more
            if writable:
                # Less than a terminal holds, or it would throw bytes away.
                data = data[os.write(master, data[:512]):]
            enough = not data and len(lines) >= wanted or started[of].poll() is not None
            if not readable and not writable and (enough or time.monotonic() - heard > timeout):
                return {'lines': [line.decode('latin-1') for line in lines]}
    finally:
        os.set_blocking(master, True)


def close_channel(id, node):
    master, slave, _ = channels.pop(id)
    subprocess.run(['umount', '--lazy', node])
    os.close(master)
    os.close(slave)
    return {}


# --- sending ------------------------------------------------------------------------------------------------------

senders = {}


def raw_socket(ns, iface):
    def make():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind((iface, 0))
        return sock

    return inside(ns, make)


def put(sock, frame):
    try:
        sock.send(frame)
        return True
    except OSError:  # the link is down just now, which is what some cases are about
        return False


def flood(sock, frames, rate, times, stop):
    """At most `rate` frames a second in bursts of 4 ms; `times` rounds, or until `stop` when it is 0."""
    sent = position = 0
    total = len(frames) * times
    burst = max(1, rate // 250)
    while not stop.is_set() and (times == 0 or position < total):
        until = time.monotonic() + 0.004
        for _ in range(burst if times == 0 else min(burst, total - position)):
            sent += put(sock, frames[position % len(frames)])
            position += 1
        left = until - time.monotonic()
        if left > 0 and rate < 200000:
            time.sleep(left)
    sock.close()
    return sent


def send(ns, iface, frames, rate=20000, times=1):
    sock = raw_socket(ns, iface)
    return {'sent': flood(sock, [base64.b64decode(frame) for frame in frames], rate, times, threading.Event())}


injectors = {}


def inject(path, frames):
    """Into QEMU by the socket of a filter-redirector: each frame after its length."""
    if path not in injectors:
        injectors[path] = socket.socket(socket.AF_UNIX)
        injectors[path].connect(path)
    for frame in frames:
        data = base64.b64decode(frame)
        injectors[path].sendall(struct.pack('!I', len(data)) + data)
    return {'sent': len(frames)}


def forget(path):
    sock = injectors.pop(path, None)
    if sock is not None:
        sock.close()
    return {}


def keep_sending(id, ns, iface, frames, rate):
    stop = threading.Event()
    sock = raw_socket(ns, iface)
    decoded = [base64.b64decode(frame) for frame in frames]
    result = []
    thread = threading.Thread(target=lambda: result.append(flood(sock, decoded, rate, 0, stop)), daemon=True)
    thread.start()
    senders[id] = (stop, thread, result)
    return {}


def stop_sending(id):
    stop, thread, result = senders.pop(id)
    stop.set()
    thread.join()
    return {'sent': result[0]}


def sweep(ns, iface, frames, ports, port_at, checksum_at):
    """Each frame, made for port 0, once for each port; its checksum, where it has one, follows."""
    sock = raw_socket(ns, iface)
    sent = 0
    for frame, sum_at in zip(frames, checksum_at):
        buffer = bytearray(base64.b64decode(frame))
        base = 0 if sum_at is None else ~struct.unpack_from('!H', buffer, sum_at)[0] & 0xFFFF
        for port in ports:
            struct.pack_into('!H', buffer, port_at, port)
            if sum_at is not None:
                total = base + port
                struct.pack_into('!H', buffer, sum_at, ~(total + (total >> 16)) & 0xFFFF)
            sent += put(sock, buffer)
    sock.close()
    return {'sent': sent}


kept = []


def local(ns, kind, source, target, payload, wait):
    """What a process of `ns` itself can send: udp, udp6 (on the device `source`), tcp (connect) or raw (a whole IP packet). Says how it ended; udp
    that waits for nothing keeps its socket."""

    def talk():
        if kind == 'raw':
            sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            sock.sendto(base64.b64decode(payload), tuple(target))
            return 'sent'
        if kind == 'udp6':
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            sock.sendto(b'', (*target, 0, socket.if_nametoindex(source)))
            return 'sent'
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
        sock.settimeout(wait)
        if source is not None:
            sock.bind(tuple(source))
        sock.connect(tuple(target))
        if kind == 'udp':
            sock.send(base64.b64decode(payload))
            if wait == 0:
                kept.append(sock)
                return 'sent'
            return 'answer ' + base64.b64encode(sock.recv(2048)).decode()
        return 'connected'

    def attempt():
        try:
            return talk()
        except OSError as error:
            return type(error).__name__ + ' ' + str(error.errno)

    return {'outcome': inside(ns, attempt)}


# --- answering ARP for addresses that have no kernel behind them ---------------------------------------------------

def answer_arp(ns, iface, mac, addresses):
    own = bytes.fromhex(mac.replace(':', ''))
    wanted = [socket.inet_aton(address) for address in addresses]

    def make():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        sock.bind((iface, 0x0806))
        return sock

    sock = inside(ns, make)

    def serve():
        while True:
            try:
                frame, address = sock.recvfrom(128)
            except OSError:
                time.sleep(0.005)
                continue
            if address[2] != 4 and frame[20:22] == b'\0\1' and frame[38:42] in wanted:
                put(sock, frame[6:12] + own + frame[12:20] + b'\0\2' + own + frame[38:42] + frame[22:32])

    threading.Thread(target=serve, daemon=True).start()
    return {}


# --- taps: a ring that the kernel fills by itself, written out as pcapng with nanoseconds and directions -----------

taps = {}


def tap(id, ns, iface, frames=32768, size=512):
    def make():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        blocks = frames * size // BLOCK
        sock.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack('IIII', BLOCK, blocks, size, frames))
        ring = mmap.mmap(sock.fileno(), blocks * BLOCK, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        sock.bind((iface, 3))
        return sock, ring, frames, size

    taps[id] = inside(ns, make)
    return {}


def frames_of(ring, frames, size, first=0):
    """Number, direction (1 in, 2 out), time, length on the wire and bytes of what the kernel has put there so far."""
    for number in range(first, frames):
        at = number * size
        status, length, kept, mac = struct.unpack_from('=IIIH', ring, at)
        if not status & 1:
            return
        sec, nsec = struct.unpack_from('=II', ring, at + 16)
        direction = 2 if ring[at + 42] == 4 else 1
        yield number, direction, sec * 1000000000 + nsec, length, ring[at + mac:at + mac + kept]


def see(id, wanted, timeout, direction=1):
    """The first frame in that direction with the bytes `wanted` in it, or null."""
    _, ring, frames, size = taps[id]
    wanted = base64.b64decode(wanted)
    until = time.monotonic() + timeout
    first = 0
    while True:
        for number, way, _, _, data in frames_of(ring, frames, size, first):
            first = number + 1
            if way == direction and wanted in data:
                return {'frame': base64.b64encode(data).decode()}
        if time.monotonic() >= until:
            return {'frame': None}
        time.sleep(0.005)


def block(kind, body):
    body += bytes(-len(body) % 4)
    size = struct.pack('<I', len(body) + 12)
    return struct.pack('<I', kind) + size + body + size


def untap(id, file):
    sock, ring, frames, size = taps.pop(id)
    seen, dropped = struct.unpack('II', sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    with open(file, 'wb') as out:
        out.write(block(0x0A0D0D0A, struct.pack('<IHHq', 0x1A2B3C4D, 1, 0, -1)))
        out.write(block(1, struct.pack('<HHI', 1, 0, 0) + struct.pack('<HHB3xHH', 9, 1, 9, 0, 0)))
        for _, direction, stamp, length, data in frames_of(ring, frames, size):
            head = struct.pack('<IIIII', 0, stamp >> 32, stamp & 0xFFFFFFFF, len(data), length)
            flags = struct.pack('<HHIHH', 2, 4, direction, 0, 0)
            out.write(block(6, head + data + bytes(-len(data) % 4) + flags))
    ring.close()
    sock.close()
    return {'seen': seen, 'dropped': dropped}


OPERATIONS = {
    'run': run, 'start': start, 'child-of': child_of, 'end': end, 'settings': settings, 'read-files': read_files,
    'write-files': write_files, 'link-files': link_files, 'remove': remove, 'see': see, 'when': when, 'open-channel': open_channel, 'ask': ask, 'talk': talk, 'close-channel': close_channel,
    'send': send, 'inject': inject, 'forget': forget, 'keep-sending': keep_sending, 'stop-sending': stop_sending, 'sweep': sweep, 'local': local,
    'answer-arp': answer_arp, 'tap': tap, 'untap': untap,
}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = OPERATIONS[request.pop('op')](**request)
    except Exception as error:
        answer = {'error': f'{type(error).__name__}: {error}'}
    print(json.dumps(answer), flush=True)
