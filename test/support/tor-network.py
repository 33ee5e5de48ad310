"""A Tor network of its own in one network namespace: three authorities that are exits as well and one relay, each at an
address of `lo`, and the resolver that the exits ask, which knows one name.

    python3 tor-network.py FOLDER NAME WEB AUTHORITY AUTHORITY AUTHORITY RELAY

FOLDER/network is what a router's parameter takes, FOLDER/names.log what the resolver was asked. Prints `ready` once there is
a consensus that names all four. A line on its standard input lets the relay leave: the authorities vote it out. Ends with that input.
"""
import os, signal, subprocess, sys, time

folder, name, web, *addresses = sys.argv[1:]
OR, DIR = 5001, 7001
COMMON = f"""
TestingTorNetwork 1
AssumeReachable 1
PathsNeededToBuildCircuits 0.25
TestingDirAuthVoteExit *
TestingDirAuthVoteHSDir *
TestingDirAuthVoteGuard *
V3AuthNIntervalsValid 3
V3AuthVotingInterval 20
V3AuthVoteDelay 4
V3AuthDistDelay 4
TestingV3AuthInitialVotingInterval 20
TestingV3AuthInitialVoteDelay 4
TestingV3AuthInitialDistDelay 4
TestingMinExitFlagThreshold 0
ServerDNSDetectHijacking 0
ServerDNSAllowBrokenConfig 1
ServerDNSResolvConfFile {folder}/resolv.conf
ExitRelay 1
ExitPolicy accept *:*
ExitPolicyRejectPrivate 0
ContactInfo none@example.org
SocksPort 0
"""

def run(*words, text=None):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, input=text).stdout

def write(path, text):
    with open(path, 'w') as file: file.write(text)

def make_authority(home, address, own):
    keys = home + '/keys/authority_'
    names = ('-i', keys + 'identity_key', '-s', keys + 'signing_key', '-c', keys + 'certificate')
    run('tor-gencert', '--create-identity-key', '--passphrase-fd', '0', '-m', '12', '-a', f'{address}:{DIR}', *names, text='\n')
    with open(keys + 'certificate') as file:
        ident = next(line.split()[1] for line in file if line.startswith('fingerprint '))
    # Tor wants some authority before it tells its own fingerprint.
    write(home + '/torrc', COMMON + own + f'DirAuthority x orport=1 v3ident={"A" * 40} 127.0.0.1:1 {"A" * 40}\n')
    fingerprint = ''.join(run('tor', '--quiet', '-f', home + '/torrc', '--list-fingerprint').split()[-10:])[-40:]
    return f'DirAuthority {os.path.basename(home)} orport={OR} v3ident={ident} {address}:{DIR} {fingerprint}'

def main():
    os.makedirs(folder, mode=0o700, exist_ok=True)
    lines, places = [], []
    for index, address in enumerate(addresses):
        subprocess.run(['ip', 'address', 'add', address + '/32', 'dev', 'lo'], stderr=subprocess.DEVNULL)
        home = f'{folder}/node{index}'
        os.makedirs(home + '/keys', mode=0o700)
        own = f'Nickname node{index}\nAddress {address}\nOutboundBindAddress {address}\nORPort {address}:{OR} IPv4Only\nDataDirectory {home}\nLog notice file {home}/log\n'
        if index < 3:
            own += f'DirPort {address}:{DIR}\nAuthoritativeDirectory 1\nV3AuthoritativeDirectory 1\n'
            lines.append(make_authority(home, address, own))
        places.append((home, own))
    write(folder + '/resolv.conf', f'nameserver {addresses[0]}\n')
    write(folder + '/network', '# Made for one test.\nTestingTorNetwork 1\n' + '\n'.join(lines) + '\nrelay consensus\n')
    authorities = ''.join(line + '\n' for line in lines if line.startswith('DirAuthority'))
    children = [subprocess.Popen(
        ['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--pid-file=', '--user=root', '--no-resolv', '--no-hosts',
         f'--listen-address={addresses[0]}', '--bind-interfaces', f'--address=/{name}/{web}', '--log-queries',
         f'--log-facility={folder}/names.log'], stdin=subprocess.DEVNULL)]
    try:
        for home, own in places:
            write(home + '/torrc', COMMON + own + authorities)
            children.append(subprocess.Popen(['tor', '--quiet', '-f', home + '/torrc'], stdin=subprocess.DEVNULL))
        relays = 0
        while relays < len(addresses):
            time.sleep(0.5)
            try:
                with open(folder + '/node0/cached-microdesc-consensus') as file: relays = file.read().count('\nr ')
            except OSError:
                pass
        print('ready', flush=True)
        for _ in sys.stdin:
            with open(f'{folder}/node3/fingerprint') as file: own = file.read().split()[-1]
            for index in range(3):
                write(f'{folder}/node{index}/approved-routers', f'!reject {own}\n')
                children[1 + index].send_signal(signal.SIGHUP)
    finally:
        for child in children: child.kill()
        for child in children: child.wait()

main()
