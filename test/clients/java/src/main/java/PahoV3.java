import java.util.Map;
import org.eclipse.paho.client.mqttv3.DisconnectedBufferOptions;
import org.eclipse.paho.client.mqttv3.IMqttActionListener;
import org.eclipse.paho.client.mqttv3.IMqttDeliveryToken;
import org.eclipse.paho.client.mqttv3.IMqttToken;
import org.eclipse.paho.client.mqttv3.MqttAsyncClient;
import org.eclipse.paho.client.mqttv3.MqttCallbackExtended;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;

/** Eclipse Paho for Java, MQTT 3.1.1. */
final class PahoV3 {
    private static IMqttActionListener then(java.util.function.Consumer<IMqttToken> done) {
        return new IMqttActionListener() {
            public void onSuccess(IMqttToken token) {
                done.accept(token);
            }

            public void onFailure(IMqttToken token, Throwable error) {
                System.err.println(error);
            }
        };
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> settings = Lines.settings(arguments);
        boolean clean = settings.get("clean").equals("1");
        MqttAsyncClient client = new MqttAsyncClient(
                "tcp://" + settings.get("host") + ":" + settings.get("port"), settings.get("id"), new MemoryPersistence());
        MqttConnectOptions options = new MqttConnectOptions();
        options.setMqttVersion(MqttConnectOptions.MQTT_VERSION_3_1_1);
        options.setUserName(settings.get("user"));
        options.setCleanSession(clean);
        options.setAutomaticReconnect(true);
        options.setMaxReconnectDelay(2000);
        options.setMaxInflight(1000);
        if (settings.containsKey("will_topic")) {
            options.setWill(settings.get("will_topic"), settings.get("will_payload").getBytes(), Integer.parseInt(settings.get("will_qos")), false);
        }
        DisconnectedBufferOptions buffer = new DisconnectedBufferOptions();
        buffer.setBufferEnabled(true);
        client.setBufferOpts(buffer);
        client.setCallback(new MqttCallbackExtended() {
            // A reconnection does not show Session Present: the session was to be kept.
            public void connectComplete(boolean again, String server) {
                if (again) Lines.say("connected", clean ? 0 : 1, 0);
            }

            public void connectionLost(Throwable cause) {
                Lines.say("disconnected");
            }

            public void messageArrived(String topic, MqttMessage message) {
                Lines.message(topic, message.getQos(), message.isRetained(), message.getPayload());
            }

            public void deliveryComplete(IMqttDeliveryToken token) {
                Lines.say("published", token.getMessageId());
            }
        });
        IMqttToken connected = client.connect(options);
        connected.waitForCompletion();
        Lines.say("connected", connected.getSessionPresent() ? 1 : 0, 0);
        Lines.obey(new Lines.Client() {
            public void subscribe(String filter, int qos) throws Exception {
                client.subscribe(filter, qos, null, then(token -> Lines.say("subscribed", token.getGrantedQos()[0])));
            }

            public void unsubscribe(String filter) throws Exception {
                client.unsubscribe(filter, null, then(token -> Lines.say("unsubscribed")));
            }

            public void publish(String topic, int qos, boolean retain, byte[] payload) throws Exception {
                client.publish(topic, payload, qos, retain);
            }
        });
        client.disconnect().waitForCompletion(2000);
        client.close();
    }
}
