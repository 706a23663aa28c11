package io.github.vfio4j;

import java.util.Objects;

/**
 * An error that {@link Eeh#inject} makes ({@code struct vfio_eeh_pe_err} of linux/vfio.h; its numbers are those of
 * PowerPC's asm/eeh.h).
 *
 * @param width of the address
 * @param function what is to fail
 * @param address where, on the PCI bus
 * @param mask which bits of the address count
 */
public record EehError(Width width, Function function, long address, long mask) {
    /** Nothing is null. */
    public EehError {
        Objects.requireNonNull(width, "width");
        Objects.requireNonNull(function, "function");
    }

    /** The widths, {@code EEH_ERR_TYPE_...}. */
    public enum Width {
        /** 32 bits. */
        BITS_32,
        /** 64 bits. */
        BITS_64
    }

    /** What can fail, {@code EEH_ERR_FUNC_...}, in the order of the header. */
    public enum Function {
        /** The address of a load from memory. */
        LOAD_MEMORY_ADDRESS,
        /** The data of a load from memory. */
        LOAD_MEMORY_DATA,
        /** The address of a load from I/O. */
        LOAD_IO_ADDRESS,
        /** The data of a load from I/O. */
        LOAD_IO_DATA,
        /** The address of a load from configuration space. */
        LOAD_CONFIG_ADDRESS,
        /** The data of a load from configuration space. */
        LOAD_CONFIG_DATA,
        /** The address of a store to memory. */
        STORE_MEMORY_ADDRESS,
        /** The data of a store to memory. */
        STORE_MEMORY_DATA,
        /** The address of a store to I/O. */
        STORE_IO_ADDRESS,
        /** The data of a store to I/O. */
        STORE_IO_DATA,
        /** The address of a store to configuration space. */
        STORE_CONFIG_ADDRESS,
        /** The data of a store to configuration space. */
        STORE_CONFIG_DATA,
        /** The address of a DMA read. */
        DMA_READ_ADDRESS,
        /** The data of a DMA read. */
        DMA_READ_DATA,
        /** The master of a DMA read. */
        DMA_READ_MASTER,
        /** The target of a DMA read. */
        DMA_READ_TARGET,
        /** The address of a DMA write. */
        DMA_WRITE_ADDRESS,
        /** The data of a DMA write. */
        DMA_WRITE_DATA,
        /** The master of a DMA write. */
        DMA_WRITE_MASTER,
        /** The target of a DMA write. */
        DMA_WRITE_TARGET
    }
}
