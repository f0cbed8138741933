# SPDX-License-Identifier: Apache-2.0
# The picture of "make bench-switch": cost of a packet over the batch, one panel for each size, all
# contenders. bench/switch/run sets core, dpdk (tables "name size batch number") and picture.
set terminal pngcairo size 1200,800 font "sans,11" noenhanced
set output picture
set logscale x 2
set logscale y
set xlabel "packets in a batch"
set grid
set key top right
set pointsize 1.2

names(file, size) = system(sprintf("awk '$2 == \"%s\" { print $1 }' %s | sort -u", size, file))
rows(file, name, size) = sprintf("< awk '$1 == \"%s\" && $2 == \"%s\"' %s", name, size, file)
sizes_core = "64 1514 imix"
sizes_dpdk = system(sprintf("awk '{ print $2 }' %s | sort -n -u", dpdk))
wide = words(sizes_core) > words(sizes_dpdk) ? words(sizes_core) : words(sizes_dpdk)
set multiplot layout (words(sizes_dpdk) ? 2 : 1), wide

set ylabel "ns per packet"
do for [size in sizes_core] {
	set title sprintf("switch core, 2 ports, size %s", size)
	plot for [name in names(core, size)] rows(core, name, size) using 3:4 with linespoints title name
}
if (words(sizes_dpdk)) {
	do for [i = words(sizes_core) + 1 : wide] { set multiplot next }
	set ylabel "cycles per packet"
	do for [size in sizes_dpdk] {
		set title sprintf("end to end through DPDK, size %s", size)
		plot for [name in names(dpdk, size)] rows(dpdk, name, size) using 3:4 with linespoints title name
	}
}
unset multiplot
