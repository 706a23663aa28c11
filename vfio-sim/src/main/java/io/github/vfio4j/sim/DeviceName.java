package io.github.vfio4j.sim;

import io.github.vfio4j.PciAddress;

/**
 * The name that VFIO_GROUP_GET_DEVICE_FD takes: an address, and after a space options, of which the kernel knows
 * {@code vf_token=UUID} alone. No function here is an SR-IOV one, so none takes a token.
 */
record DeviceName(String text) {
    /** Does it name this function, whatever options follow? */
    boolean names(PciAddress address) {
        String name = address.toString();
        return text.startsWith(name) && (text.length() == name.length() || text.charAt(name.length()) == ' ');
    }

    boolean withoutOptions() {
        int space = text.indexOf(' ');
        return space < 0 || text.substring(space).chars().allMatch(c -> c == ' ');
    }
}
