#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# net_rvif under dpdk-testpmd, with rvs-fwd between the ports. Whatever one side sent has to be received or counted
# as lost by the other, to the last packet.
#
#   usage: with-plugin PLUGIN test_testpmd.py RVS-FWD RVIF-TAP [TEST...]
import os
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../tap'))
import tapnet  # noqa: E402  pylint: disable=wrong-import-position
from testpmd import Bench, Failure, Switch, Testpmd, expect, mac, wait_quiet

SECONDS = 1.0


def one_way(bench, devargs='', options=(), sender=(), setup=()):
    """txonly in one process, rxonly in another; returns both ports' numbers, checked."""
    switch = Switch(bench, 2)
    tx = Testpmd(bench, [0], devargs, [f'--eth-peer=0,{mac(1)}', *options, *sender])
    rx = Testpmd(bench, [1], devargs, options)
    tx.wait_link(0)
    rx.wait_link(0)
    rx.do('set fwd rxonly', 'start')
    tx.do(*setup, 'set fwd txonly', 'start')
    time.sleep(SECONDS)
    tx.do('stop')
    received = wait_quiet(rx, 0)
    sent = tx.stats(0)
    details = rx.xstats(0)
    rx.do('stop')
    tx.quit()
    rx.quit()
    switch.stop()
    expect(received['RX-packets'] > 0, 'nothing arrived')
    expect(sent['TX-errors'] == received['RX-errors'] == 0, f'errors: {sent} {received}')
    expect(sent['TX-packets'] == received['RX-packets'] + received['RX-missed'],
           f'sent {sent}, received {received}')
    return sent, received, details


def test_txonly_rxonly(bench):
    one_way(bench)


def queues(bench, count):
    details = one_way(bench, f'queues={count}', [f'--rxq={count}', f'--txq={count}'],
                      ['--txonly-multi-flow'])[2]
    for queue in range(count):
        expect(details[f'rx_q{queue}_packets'] > 0, f'queue {queue} got nothing: {details}')


def test_two_queues(bench):
    queues(bench, 2)


def test_four_queues(bench):
    queues(bench, 4)


def test_jumbo(bench):
    sent, received, _ = one_way(bench, 'buffer=9216',
                                ['--max-pkt-len=9018', '--mbuf-size=9472',
                                 '--total-num-mbufs=2048'], setup=['set txpkts 9000'])
    expect(received['RX-bytes'] == 9000 * received['RX-packets'], f'{received}')


def test_jumbo_segments(bench):
    _, received, _ = one_way(bench, '',
                             ['--max-pkt-len=9018', '--enable-scatter', '--tx-offloads=0x8000'],
                             setup=['set txpkts 2000,2000,2000,2000,1000'])
    expect(received['RX-bytes'] == 9000 * received['RX-packets'], f'{received}')


def zero_copy(bench, alloc):
    """Each frame is sent in place."""
    switch = Switch(bench, 2)
    tx = Testpmd(bench, [0], 'zero_copy=1', [f'--eth-peer=0,{mac(1)}', f'--mp-alloc={alloc}'])
    rx = Testpmd(bench, [1], 'zero_copy=1', [f'--mp-alloc={alloc}'])
    tx.wait_link(0)
    rx.wait_link(0)
    rx.do('set fwd rxonly', 'start')
    tx.do('set txpkts 64,1000,400', 'set fwd txonly', 'start')
    time.sleep(SECONDS)
    tx.do('stop')
    received = wait_quiet(rx, 0)
    sent = tx.stats(0)
    expect(received['RX-packets'] > 0, 'nothing arrived')
    expect(sent['TX-packets'] == received['RX-packets'] + received['RX-missed'], f'{sent} {received}')
    expect(sent['TX-errors'] == received['RX-errors'] == 0, f'errors: {sent} {received}')
    expect(received['RX-bytes'] == 1464 * received['RX-packets'], f'{received}')
    expect(tx.xstats(0)['tx_q0_copied'] == 0, 'frames were copied')
    rx.do('stop')
    # the switch dies while it has mbufs, and another one comes
    switch.kill()
    tx.do('start')
    switch = Switch(bench, 2)
    rx.do('start')
    before = rx.stats(0)['RX-packets']
    time.sleep(SECONDS)
    tx.do('stop')
    expect(wait_quiet(rx, 0)['RX-packets'] > before, 'nothing arrives after a restart')
    rx.do('stop')
    tx.quit()
    rx.quit()
    switch.stop()


def test_zero_copy_native(bench):
    zero_copy(bench, 'native')


def test_zero_copy_xbuf(bench):
    zero_copy(bench, 'xbuf')


def circle(bench, mode, topology):
    """Packets that go round between two ports of one process."""
    switch = Switch(bench, 2)
    pmd = Testpmd(bench, [0, 1], '', [f'--eth-peer=0,{mac(1)}', f'--eth-peer=1,{mac(0)}',
                                      f'--port-topology={topology}'])
    pmd.wait_link(0)
    pmd.wait_link(1)
    pmd.do(f'set fwd {mode}', 'start tx_first 4')
    time.sleep(SECONDS)
    pmd.do('stop', 'set fwd rxonly', 'start')
    wait_quiet(pmd, 0)
    wait_quiet(pmd, 1)
    pmd.do('stop')
    stats = [pmd.stats(port) for port in range(2)]
    pmd.quit()
    ports = switch.stop()
    total = {key: stats[0][key] + stats[1][key] for key in stats[0]}
    expect(total['RX-packets'] > 1000, f'{mode}: nothing went round: {stats}')
    expect(total['TX-packets'] == total['RX-packets'] + total['RX-missed'], f'{stats}')
    # the switch counts the same
    expect(sum(port['sent'] for port in ports) == total['TX-packets'], f'{ports} {stats}')
    expect(sum(port['missed'] for port in ports) == total['RX-missed'], f'{ports} {stats}')


def test_io(bench):
    circle(bench, 'io', 'paired')


def test_macswap(bench):
    circle(bench, 'macswap', 'loop')


def test_stop_start_close_detach(bench):
    switch = Switch(bench, 2)
    pmd = Testpmd(bench, [0, 1], 'queues=2', [f'--eth-peer=0,{mac(1)}', f'--eth-peer=1,{mac(0)}'])

    def flows():
        pmd.wait_link(0)
        pmd.wait_link(1)
        pmd.do('clear port stats all', 'set fwd io', 'start tx_first')
        time.sleep(0.3)
        pmd.do('stop')
        expect(pmd.stats(1)['RX-packets'] > 0, 'nothing flows')

    flows()
    pmd.do('port stop 0')
    expect(not pmd.link_up(0), 'the link of a stopped port is up')
    pmd.do('port start 0')
    flows()
    pmd.do('port stop all', 'port config all rxq 2', 'port config all txq 2', 'port start all')
    flows()
    # one end away while the other goes on
    pmd.do('port stop 1', 'set fwd txonly', 'start')
    time.sleep(0.2)
    pmd.do('stop', 'port start 1')
    flows()
    pmd.do('port stop 1', 'port detach 1')
    expect('Invalid port' in pmd.do('show port stats 1'), 'a detached port is there')
    said = pmd.do(f'port attach net_rvif1,path={bench.path(1)},mac={mac(1)},queues=2')
    expect('is attached' in said, said)
    pmd.do('port start 1')
    flows()
    pmd.do('port stop all', 'port close 0', 'port close 1')
    pmd.quit()
    switch.stop()


def test_switch_restarts(bench):
    switch = Switch(bench, 2)
    pmd = Testpmd(bench, [0, 1], '', [f'--eth-peer=0,{mac(1)}', f'--eth-peer=1,{mac(0)}'])
    pmd.wait_link(0)
    pmd.do('set fwd txonly', 'start')
    for kill in (True, False, True):
        time.sleep(0.3)
        if kill:
            switch.kill()
        else:
            switch.stop()
            pmd.wait_link(0, False)
        switch = Switch(bench, 2)
        pmd.wait_link(0)
        before = pmd.stats(0)['TX-packets']
        time.sleep(0.3)
        expect(pmd.stats(0)['TX-packets'] > before + 256, 'nothing flows after a restart')
    pmd.do('stop')
    pmd.quit()
    switch.stop()


def test_csum_engine(bench):
    """TCP between two interfaces of Linux, through testpmd's checksum engine, which asks for TSO as DPDK's interface
    says: IP checksums are implied. Linux throws away what has none."""
    switches = [bench.start([bench.switch, '--quiet', f'{bench.folder.name}/{i + 1}.vnic', bench.path(i)])
                for i in range(2)]
    bench.directory, bench.programs = bench.folder.name, {'tap': bench.tap}
    hosts = [tapnet.Host(bench, number, ['--promiscuous']) for number in (1, 2)]
    bench.running += [host.process for host in hosts]
    pmd = Testpmd(bench, [0, 1], 'tso=1,buffer=9216', ['--enable-lro', '--enable-scatter', '--mbuf-size=9472'])
    pmd.do('port stop all', 'set promisc all on')
    for port in range(2):
        for offload in ('tcp_tso', 'multi_segs'):
            pmd.do(f'port config {port} tx_offload {offload} on')
        for layer in ('ip', 'tcp', 'udp'):
            pmd.do(f'csum set {layer} hw {port}')
        pmd.do(f'tso set 1448 {port}', f'csum mac-swap off {port}')
    pmd.do('set fwd csum', 'port start all', 'start')
    for host in hosts:
        tapnet.eventually(host.carrier)
    tapnet.ping(*hosts)
    began = time.monotonic()
    tapnet.cross(*hosts, 1 << 20)
    seconds = time.monotonic() - began
    print(f'   1 MiB in {seconds:.3f} s')
    expect(hosts[0].count('sent', 'gso') > 0, 'nothing was segmented')
    expect(seconds < 2, f'1 MiB took {seconds:.1f} s')
    for host in hosts:
        host.end()
    pmd.quit()
    for switch in switches:
        switch.terminate()


def test_wrong_devargs(bench):
    for devargs, text in (('path=', 'names no file'), ('queues=1', 'path= is missing'),
                          (f'path={bench.path(0)},mac=1', 'is not a MAC address'),
                          (f'path={bench.path(0)},queues=0', "queues='0' is not a number"),
                          (f'path={bench.path(0)},zero_copy=2', "zero_copy='2' is not a number"),
                          (f'path={bench.path(0)},zero_copy=1,buffer=2048', "the pool's mbufs"),
                          ('elisa=vmnet,zero_copy=1,buffer=2048', "the pool's mbufs"),
                          (f'path={bench.folder.name}/no/such', 'No such file or directory'),
                          (f'path={bench.path(0)},mac=01:00:00:00:00:00', "group's address")):
        result = subprocess.run(
            ['dpdk-testpmd', '-l', '0', '--no-huge', '-m', '64', '--no-pci', '--no-telemetry',
             '--no-shconf', '-d', bench.plugin, '--vdev', f'net_rvif0,{devargs}', '--',
             '--total-num-mbufs=2048'],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            timeout=60, check=False)
        said = result.stdout.decode()
        expect(result.returncode != 0, f'{devargs}: accepted')
        expect(text in said, f'{devargs}: {said}')


def main():
    switch, tap, *names = sys.argv[1:]
    tests = {name[5:]: test for name, test in globals().items() if name.startswith('test_')}
    failed = 0
    for name in names or tests:
        start = time.monotonic()
        try:
            with Bench(os.environ['NET_RVIF_PLUGIN'], switch) as bench:
                bench.tap = tap
                tests[name](bench)
            verdict = 'ok'
        except (Failure, AssertionError, subprocess.SubprocessError) as failure:
            verdict = f'FAILED: {failure}'
            failed += 1
        print(f'{name}: {verdict} ({time.monotonic() - start:.1f} s)', flush=True)
    print(f'{len(names or tests) - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
