# shellcheck shell=bash disable=SC2034,SC2054 # vm/run reads the arrays; QEMU's options have commas
# The emulated machine: which PCI devices it has, at which address, and which of them the guest gives to
# vfio-pci. Sourced by vm/run; nothing else knows.
#
# Every device has an explicit address, so that adding one moves no other. Helper devices (files, console)
# come first and stay with their native drivers.

# What the guest binds to vfio-pci before COMMAND starts.
VFIO_DEVICES=(
    0000:00:04.0    # edu: registers, MSI and INTx, a DMA engine (32-bit addresses, 2 KiB a transfer is safe)
    0000:00:05.0    # NVMe controller with a scratch disk
    0000:00:06.0    # e1000e network card
    0000:00:07.0    # virtio-net, behind the IOMMU
    0000:00:08.0    # pci-testdev with a 16 MiB memory BAR
    0000:00:0b.0    # two more e1000e network cards, with a hub of their own
    0000:00:0c.0
)
# These, too. They share a group: a pci-testdev, an edu, and an e1000 network card, whose host driver makes the group
# unusable.
SIBLINGS=(0000:01:01.0 0000:01:02.0 0000:01:03.0)
SIBLINGS_AT=(bus=bridge,addr=01.0 bus=bridge,addr=02.0 bus=bridge,addr=03.0)

# choose_iommu KIND: sets IOMMU, QEMU's arguments for it, IOMMU_KERNEL_ARGUMENTS, what the kernel must be told, and
# PORTS, whether there are devices behind root ports.
choose_iommu() {
    PORTS=yes
    case $1 in
        intel)
            IOMMU=(-device intel-iommu,intremap=on,caching-mode=on)
            IOMMU_KERNEL_ARGUMENTS=intel_iommu=on
            ;;
        amd)
            IOMMU=(-device amd-iommu,intremap=on)
            IOMMU_KERNEL_ARGUMENTS=
            # QEMU 7.2's takes what is behind a bridge for devices of bus 0, so that the host's driver waits a minute for
            # an NVMe controller there; and over one that it does not cover Linux 6.12 panics at boot.
            PORTS=
            ;;
        virtio)
            # It does not remap interrupts: without the two parameters no program gets a device.
            IOMMU=(-device virtio-iommu-pci,bus=pcie.0,addr=10.0)
            IOMMU_KERNEL_ARGUMENTS='vfio_iommu_type1.allow_unsafe_interrupts=1 iommufd.allow_unsafe_interrupts=1'
            # QEMU's knows the bridge alone and no device behind it, so these are the functions of one device.
            SIBLINGS=(0000:00:11.0 0000:00:11.1 0000:00:11.2)
            SIBLINGS_AT=(bus=pcie.0,addr=11.0,multifunction=on bus=pcie.0,addr=11.1 bus=pcie.0,addr=11.2)
            ;;
        none)
            IOMMU=() IOMMU_KERNEL_ARGUMENTS=
            VFIO_DEVICES=() SIBLINGS=() # vfio-pci would take none
            ;;
        *) fail "--iommu is intel, amd, virtio or none, not $1" ;;
    esac
}

# machine_arguments RUN_DIRECTORY RESULTS_DIRECTORY: fills the array MACHINE with QEMU's arguments.
machine_arguments() {
    local run=$1 results=$2
    local virtfs=security_model=none,multidevs=remap
    MACHINE=(
        # A split irqchip is what interrupt remapping needs.
        -M q35,kernel-irqchip=split
        -nodefaults -no-user-config -no-reboot -display none -net none

        # Files: the host's root read-only, this run's own directory and the results read-write.
        -fsdev "local,id=root,path=/,readonly=on,$virtfs"
        -device virtio-9p-pci,fsdev=root,mount_tag=root,addr=01.0
        -fsdev "local,id=run,path=$(qemu_value "$run"),$virtfs"
        -device virtio-9p-pci,fsdev=run,mount_tag=run,addr=02.0
        -fsdev "local,id=results,path=$(qemu_value "$results"),$virtfs"
        -device virtio-9p-pci,fsdev=results,mount_tag=results,addr=03.0

        # The serial port is for the kernel alone; COMMAND has two ports of its own, so that its standard
        # output and standard error stay apart and whole.
        -chardev "file,id=kernel,path=$(qemu_value "$run")/console.log" -serial chardev:kernel
        -device virtio-serial-pci,id=ports,addr=0a.0
        -chardev "file,id=out,path=$(qemu_value "$run")/stdout"
        -device virtserialport,bus=ports.0,nr=1,chardev=out,name=stdout
        -chardev "file,id=err,path=$(qemu_value "$run")/stderr"
        -device virtserialport,bus=ports.0,nr=2,chardev=err,name=stderr

        # The devices under test. Without option ROMs: the firmware would spend seconds in them.
        -device edu,dma_mask=0xffffffff,addr=04.0
        -drive "file=$(qemu_value "$run")/nvme.img,if=none,id=disk,format=raw,cache=unsafe"
        -device nvme,drive=disk,serial=vfio-vm-0,addr=05.0
        -netdev hubport,hubid=1,id=net0
        -device e1000e,netdev=net0,mac=52:54:00:12:34:06,romfile=,addr=06.0
        -netdev hubport,hubid=1,id=net1
        -device virtio-net-pci,netdev=net1,mac=52:54:00:12:34:07,iommu_platform=on,disable-legacy=on,romfile=,addr=07.0
        -device pci-testdev,membar=16M,addr=08.0
        # vfio-pci refuses bridges; one shares its IOMMU group with the devices behind it.
        -device pcie-pci-bridge,id=bridge,addr=09.0
        -device "pci-testdev,${SIBLINGS_AT[0]}"
        -device "edu,${SIBLINGS_AT[1]}"
        -netdev hubport,hubid=2,id=net2
        -device "e1000,netdev=net2,mac=52:54:00:12:34:08,romfile=,${SIBLINGS_AT[2]}"
        -netdev hubport,hubid=3,id=net3
        -device e1000e,netdev=net3,mac=52:54:00:12:34:0b,romfile=,addr=0b.0
        -netdev hubport,hubid=3,id=net4
        -device e1000e,netdev=net4,mac=52:54:00:12:34:0c,romfile=,addr=0c.0
    )
    [[ -z $PORTS ]] || add_ports
    # After all the others: AMD's is a PCI function besides, which takes the first address that is free.
    MACHINE+=("${IOMMU[@]}")
}

add_ports() {
    MACHINE+=(
        # A second host bridge, its bus 64, that the IOMMU does not cover: its device has no IOMMU group.
        -device pxb-pcie,id=outside,bus_nr=64,bypass_iommu=on,addr=0d.0
        -device pcie-root-port,id=outsideport,bus=outside,chassis=1,addr=00.0
        -device edu,bus=outsideport,addr=00.0

        # A function that can have virtual ones (SR-IOV), behind a port of its own. It has no disk.
        -device pcie-root-port,id=virtualport,bus=pcie.0,chassis=2,addr=0e.0
        -device nvme-subsys,id=virtualsystem
        -device nvme,subsys=virtualsystem,serial=vfio-vm-1,bus=virtualport,max_ioqpairs=8,msix_qsize=8,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2
    )
    # Another one, a network card that can have eight, where QEMU has it (since 8.0).
    if [[ $("$QEMU" -device igb,help 2>/dev/null) == 'igb options'* ]]; then
        MACHINE+=(
            -device pcie-root-port,id=igbport,bus=pcie.0,chassis=3,addr=0f.0
            -netdev hubport,hubid=4,id=net5
            -device igb,netdev=net5,mac=52:54:00:12:34:0f,romfile=,bus=igbport
        )
    fi
}

# QEMU separates options by commas; a comma in a value is written twice.
qemu_value() {
    printf '%s' "${1//,/,,}"
}
