"""Joins a LAN of sockets as the machine at its last port: python3 lan-joiner.py FOLDER SECONDS. Asks who has 10.1.1.1 and
prints each frame that it hears, as hexadecimal digits."""
import select, socket, sys, time

folder, seconds = sys.argv[1:]
card = bytes.fromhex('020000000099')
ask = b'\xff' * 6 + card + bytes.fromhex('08060001080006040001') + card + bytes([10, 1, 1, 250]) + bytes(6) + bytes([10, 1, 1, 1])
lan = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
lan.bind(f'{folder}/16.down')
until = time.monotonic() + float(seconds)
lan.sendto(ask, f'{folder}/16.up')
print('joined', flush=True)
while (left := until - time.monotonic()) > 0:
    if select.select([lan], [], [], left)[0]: print(lan.recv(65536).hex(), flush=True)
